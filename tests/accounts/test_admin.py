import pytest

from accounts.models import User


@pytest.fixture
def admin_client(client, db):
    client.force_login(
        User.objects.create_superuser(email="root@example.org", username="root", password="x")
    )
    return client


def test_the_admin_signs_in_through_the_site(client, db):
    """Its own form would know neither rate limits nor verified mail."""
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")


def test_who_is_no_staff_is_refused(client, alice):
    client.force_login(alice)
    assert client.get("/admin/login/?next=/admin/").status_code == 403


def test_users_are_found_by_their_id_on_pages(admin_client, alice, bob):
    page = admin_client.get(f"/admin/accounts/user/?q={alice.flattr_id}").content.decode()
    assert "alice@example.org" in page
    assert "bob@example.org" not in page


def test_the_list_of_users_asks_a_fixed_number_of_questions(
    admin_client, django_assert_max_num_queries
):
    User.objects.bulk_create(User(email=f"p{i}@example.org", username=f"p{i}") for i in range(60))
    with django_assert_max_num_queries(10):
        assert admin_client.get("/admin/accounts/user/").status_code == 200


def test_a_user_can_be_added_and_changed_but_not_deleted(admin_client, alice):
    assert admin_client.get("/admin/accounts/user/add/").status_code == 200
    assert admin_client.get(f"/admin/accounts/user/{alice.pk}/change/").status_code == 200
    assert admin_client.post(f"/admin/accounts/user/{alice.pk}/delete/").status_code == 403
