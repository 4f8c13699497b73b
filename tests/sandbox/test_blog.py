"""The demo blog and its mail page."""

import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.filebased import EmailBackend

from sandbox.blog.pages import Blog
from sandbox.blog.posts import POSTS
from sandbox.demo.people import DEMO_PEOPLE, THINGS


@pytest.fixture
def blog(tmp_path):
    return Blog("http://127.0.0.1:8001", "http://localhost:8000", tmp_path)


def send(folder, subject, text, html=None):
    mail = EmailMultiAlternatives(subject, text, "flattr@localhost", ["alice@flattr.example"])
    if html:
        mail.attach_alternative(html, "text/html")
    backend = EmailBackend(file_path=folder)
    backend.send_messages([mail])


def text_of(page) -> str:
    return str(page.body.decode())


def newest_in(listed: str) -> str:
    return listed.partition('<ol class="mails">')[2].partition('href="')[2].partition('"')[0]


def test_every_thing_of_the_demo_has_its_post():
    assert {(thing.slug, thing.owner) for thing in THINGS} == {(p.slug, p.author) for p in POSTS}
    assert {post.author for post in POSTS} <= {person.username for person in DEMO_PEOPLE}


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.slug)
def test_every_post_shows_its_button_and_needs_no_script_for_it(blog, post):
    shown = text_of(blog.answer(f"/posts/{post.slug}/"))
    assert f"/submit/auto?user_id={post.author}&amp;url=http%3A%2F%2F127.0.0.1%3A8001" in shown


def test_each_way_to_embed_is_shown(blog):
    shown = " ".join(text_of(blog.answer(f"/posts/{post.slug}/")) for post in POSTS)
    for markup in ("<flattr-button ", "/badge.svg?", '<link rel="payment"'):
        assert markup in shown


def test_an_unknown_address_is_not_found(blog):
    assert blog.answer("/posts/nothing/").status == 404
    assert blog.answer("/mail/nothing/").status == 404
    assert blog.answer("/mail/..%2f..%2fsecrets.json/").status == 404


def test_the_newest_mail_comes_first_and_its_links_can_be_clicked(blog, tmp_path):
    send(tmp_path, "First", "one")
    send(tmp_path, "Second", "Confirm: http://localhost:8000/accounts/confirm-email/abc:def/")
    listed = text_of(blog.answer("/mail/"))
    assert listed.index("Second") < listed.index("First")
    shown = text_of(blog.answer(newest_in(listed)))
    assert 'href="http://localhost:8000/accounts/confirm-email/abc:def/"' in shown


def test_mail_is_shown_as_text_whatever_it_holds(blog, tmp_path):
    send(tmp_path, "<script>1</script>", "<img src=x onerror=1> javascript:alert(1)", "<b>html</b>")
    listed = text_of(blog.answer("/mail/"))
    for page in (listed, text_of(blog.answer(newest_in(listed)))):
        assert "<script>1" not in page
        assert "<img src=x" not in page
        assert 'href="javascript' not in page


def test_a_message_that_is_being_written_is_not_shown_yet(blog, tmp_path):
    (tmp_path / "half.log").write_bytes(b"Subject: half\n\nnot ye")
    assert "half" not in text_of(blog.answer("/mail/"))
