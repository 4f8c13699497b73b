"""Where people put their button: for each platform what to paste where, in its own language.

A code is written with markers, which `buttons/snippets.py` fills in for a person, a page and a
look: `@BASE` the instance, `@USER` and `@ID` the person, `@ADDRESS` the page, `@ORIGIN` its site.
What the platform's template language fills in stays as it is. Addresses in attributes are `@SUBMIT`
and `@BADGE`, up to the page's own, which follows escaped as part of a query: `@QUERY`, or what the
template language has for that. `@TEXT_SUBMIT` and `@TEXT_BADGE` are the same outside of HTML.
"""

from dataclasses import dataclass

SITES, GENERATORS, ELSEWHERE = "Blogs and sites", "Site generators", "Elsewhere"

ON_THE_PAGE = "The button on the page is the proof that the page is yours."
NO_PROOF = (
    "Links there are marked as a stranger's, so this button proves nothing. Let it lead to a page "
    "of your own that carries a button too: what is flattred there counts at once."
)


@dataclass(frozen=True)
class Snippet:
    """One step: what to do, and what to paste. Words in backticks are code."""

    id: str
    title: str
    note: str
    code: str = ""
    link: str = ""


@dataclass(frozen=True)
class Platform:
    """`fills_address`: its template language knows each page's address, so nobody types it."""

    slug: str
    name: str
    group: str
    lead: str
    snippets: tuple[Snippet, ...]
    proof: str = ON_THE_PAGE
    fills_address: bool = False


def link(query: str, title: str = "") -> str:
    """Return a link around a badge; `query` writes the page's address as part of a query."""
    described = f"&amp;title={title}" if title else ""
    return (
        f'<a href="@SUBMIT{query}{described}"><img src="@BADGE{query}" alt="Flattr this" @SIZE></a>'
    )


def element(address: str, query: str, title: str = "") -> str:
    """Return the button that counts up; `address` writes the page's address in an attribute."""
    return (
        '<script src="@BASE/button.js" async></script>\n'
        f'<flattr-button user="@USER" url="{address}"@LAYOUT>{link(query, title)}</flattr-button>'
    )


HTML = Platform(
    "html",
    "Plain HTML",
    SITES,
    "Paste one of these into your page.",
    (
        Snippet(
            "html",
            "A link with a badge",
            "Plain HTML without a script: works on any page, in a feed, and in mail.",
            link("@QUERY"),
        ),
        Snippet(
            "element",
            "A button that counts up",
            "One small script, without cookies. The count rises as soon as somebody pressed. What "
            "is inside keeps the place free, and is there for visitors without scripts.",
            element("@ADDRESS", "@QUERY"),
        ),
        Snippet(
            "pinned",
            "The same, and never another script",
            "Your visitors' browsers take exactly this version, which stays at its address.",
            '<script src="@BASE/button-@VERSION.js" async crossorigin="anonymous"\n'
            '  integrity="@CHECKSUM"></script>\n'
            '<flattr-button user="@USER" url="@ADDRESS"@LAYOUT></flattr-button>',
        ),
        Snippet(
            "payment",
            "A payment link",
            "For the head of a page: podcast apps and feed readers offer it to their users.",
            '<link rel="payment" type="text/html" title="Flattr this!" href="@SUBMIT@QUERY">',
        ),
        Snippet(
            "meta",
            "Your Flattr id",
            "Shows nothing, and proves that every page that carries it is yours.",
            '<meta name="flattr:id" content="@ID">',
        ),
    ),
)

WORDPRESS = Platform(
    "wordpress",
    "WordPress",
    SITES,
    "A plugin puts the button under each post, and into your feed.",
    (
        Snippet(
            "install",
            "Install the plugin",
            "In your WordPress go to Plugins, Add New, Upload Plugin, choose the file, and "
            "activate it. It needs WordPress 6.1 or newer, and asks nobody for anything.",
            link="buttons:wordpress-plugin",
        ),
        Snippet(
            "settings",
            "Say whose button it is",
            "Go to Settings, Flattr Button, and fill in these two.",
            "Address of the instance: @BASE\nYour username: @USER",
        ),
        Snippet(
            "places",
            "Choose where it stands",
            "Under each post by itself, or where you put the block Flattr button or this "
            "shortcode. It takes `url`, `user`, `title` and `layout` if you want another one.",
            "[flattr]",
        ),
        Snippet(
            "theme",
            "Or without the plugin, in your theme",
            "Inside the loop of `single.php` of a child theme, so that an update does not undo it.",
            "<a href=\"<?php echo esc_url( '@TEXT_SUBMIT' . rawurlencode( get_permalink() ) ); "
            "?>\"><img src=\"<?php echo esc_url( '@TEXT_BADGE' . rawurlencode( get_permalink() ) "
            '); ?>"'
            ' alt="Flattr this" @SIZE></a>',
        ),
        Snippet(
            "block",
            "Or where plugins are not allowed",
            "On WordPress.com's smaller plans: add a Custom HTML block to the post, and paste "
            "this. Fill in the address of the post above first.",
            link("@QUERY"),
        ),
    ),
)

BLOGGER = Platform(
    "blogger",
    "Blogger",
    SITES,
    "One line in your theme puts the button under each post.",
    (
        Snippet(
            "edit",
            "Open the theme",
            "Theme, the arrow beside Customise, Edit HTML. Keep a copy first: the same menu has "
            "Backup.",
        ),
        Snippet(
            "paste",
            "Paste this under the post",
            "Search for `<data:post.body/>`, and paste this line after each place that you find. "
            "Blogger fills in the post's address, which never needs escaping.",
            "<a expr:href='&quot;@SUBMIT&quot; + data:post.url.canonical'><img alt='Flattr this' "
            "expr:src='&quot;@BADGE&quot; + data:post.url.canonical' @SIZE/></a>",
        ),
    ),
    fills_address=True,
)

TUMBLR = Platform(
    "tumblr",
    "Tumblr",
    SITES,
    "A few words in your theme put the button under each post.",
    (
        Snippet(
            "edit",
            "Open the theme",
            "Settings, your blog, Edit theme, Edit HTML. Custom themes must be allowed there.",
        ),
        Snippet(
            "paste",
            "Paste this into the post",
            "Somewhere between `{block:Posts}` and `{/block:Posts}`, where it shall stand.",
            link("{URLEncodedPermalink}"),
        ),
        Snippet(
            "element",
            "Or a button that counts up",
            "At the same place, where Tumblr allows your theme scripts.",
            element("{Permalink}", "{URLEncodedPermalink}"),
        ),
    ),
    fills_address=True,
)

GHOST = Platform(
    "ghost",
    "Ghost",
    SITES,
    "In your theme, or without touching it.",
    (
        Snippet(
            "theme",
            "In your theme",
            "Settings, Design, Change theme, Advanced: download yours, paste this after "
            "`{{content}}` in `post.hbs`, pack it again and upload it.",
            element(
                '{{url absolute="true"}}',
                '{{encode (url absolute="true")}}',
                "{{encode title}}",
            ),
        ),
        Snippet(
            "injection",
            "Or without touching it",
            "Settings, Code injection, Site footer. The button finds the page's address by itself, "
            "and stands at the foot of each page.",
            '<script src="@BASE/button.js" async></script>\n'
            '<flattr-button user="@USER"@LAYOUT></flattr-button>',
        ),
    ),
    fills_address=True,
)

DRUPAL = Platform(
    "drupal",
    "Drupal",
    SITES,
    "In the template of your theme that draws a node.",
    (
        Snippet(
            "paste",
            "Paste this into the template",
            "Copy `node.html.twig` into the `templates` folder of your theme, as "
            "`node--article.html.twig` if only articles shall carry it, and paste this after "
            "`{{ content }}`.",
            element(
                "{{ url('entity.node.canonical', {'node': node.id}) }}",
                "{{ url('entity.node.canonical', {'node': node.id})|render|url_encode }}",
                "{{ node.label|url_encode }}",
            ),
        ),
        Snippet(
            "caches",
            "Clear the caches",
            "Configuration, Performance, Clear all caches; or on the server:",
            "drush cache:rebuild",
        ),
    ),
    fills_address=True,
)

MEDIAWIKI = Platform(
    "mediawiki",
    "MediaWiki",
    SITES,
    "A few lines in the wiki's settings put the button under each page of content.",
    (
        Snippet(
            "settings",
            "Paste this into LocalSettings.php",
            "At its end. In the text of a page it would be no proof: links there are marked "
            "`nofollow`, and pictures of other sites are not shown.",
            "$wgHooks['SkinAfterContent'][] = function ( &$data, $skin ) {\n"
            "\t$title = $skin->getTitle();\n"
            "\tif ( $title && $title->isContentPage() && $title->exists() ) {\n"
            "\t\t$page = rawurlencode( $title->getCanonicalURL() );\n"
            "\t\t$data .= '<p><a href=\"@SUBMIT' . $page . '\"><img src=\"@BADGE' . $page\n"
            '\t\t\t. \'" alt="Flattr this" @SIZE></a></p>\';\n'
            "\t}\n"
            "};",
        ),
    ),
    fills_address=True,
)

JEKYLL = Platform(
    "jekyll",
    "Jekyll",
    GENERATORS,
    "One small file, and one line in the layout of your posts.",
    (
        Snippet(
            "config",
            "Say where your site is",
            "In `_config.yml`, so that the button knows the whole address of a page.",
            "url: @ORIGIN",
        ),
        Snippet(
            "include",
            "Save this as _includes/flattr.html",
            "Where you list many posts on a page, write `post` instead of `page`.",
            element(
                "{{ page.url | absolute_url | escape }}",
                "{{ page.url | absolute_url | url_encode }}",
                "{{ page.title | strip_html | url_encode }}",
            ),
        ),
        Snippet(
            "layout",
            "Show it",
            "In `_layouts/post.html`, after `{{ content }}`.",
            "{% include flattr.html %}",
        ),
    ),
    fills_address=True,
)

HUGO = Platform(
    "hugo",
    "Hugo",
    GENERATORS,
    "One partial, and one line in the layout of your pages.",
    (
        Snippet(
            "config",
            "Say where your site is",
            "In `hugo.toml`, or `config.toml` before Hugo 0.110.",
            'baseURL = "@ORIGIN/"',
        ),
        Snippet(
            "partial",
            "Save this as layouts/partials/flattr.html",
            "Hugo escapes each value for the place where it stands.",
            element("{{ .Permalink }}", "{{ .Permalink | urlquery }}", "{{ .Title | urlquery }}"),
        ),
        Snippet(
            "layout",
            "Show it",
            "In `layouts/_default/single.html`, after `{{ .Content }}`; copy the file from your "
            "theme if it has it. Since Hugo 0.146 it may be `layouts/single.html`.",
            '{{ partial "flattr.html" . }}',
        ),
    ),
    fills_address=True,
)

PELICAN = Platform(
    "pelican",
    "Pelican",
    GENERATORS,
    "One small template, and one line in your theme.",
    (
        Snippet(
            "config",
            "Say where your site is",
            "In `publishconf.py`. What you look at while writing has no button that works.",
            'SITEURL = "@ORIGIN"',
        ),
        Snippet(
            "template",
            "Save this as templates/flattr.html of your theme",
            "Titles may carry markup, which is taken out.",
            element(
                "{{ SITEURL }}/{{ article.url|e }}",
                "{{ (SITEURL ~ '/' ~ article.url)|urlencode }}",
                "{{ article.title|striptags|urlencode }}",
            ),
        ),
        Snippet(
            "theme",
            "Show it",
            "In the theme's `templates/article.html`, after `{{ article.content }}`.",
            "{% include 'flattr.html' %}",
        ),
    ),
    fills_address=True,
)

ELEVENTY = Platform(
    "eleventy",
    "Eleventy",
    GENERATORS,
    "One include, and one line in the layout of your posts.",
    (
        Snippet(
            "data",
            "Save this as _data/site.json",
            "Eleventy itself does not know where your site is.",
            '{ "url": "@ORIGIN" }',
        ),
        Snippet(
            "include",
            "Save this as _includes/flattr.njk",
            "In Nunjucks, the language of most layouts.",
            element(
                "{{ site.url }}{{ page.url }}",
                "{{ (site.url + page.url) | urlencode }}",
                "{{ title | urlencode }}",
            ),
        ),
        Snippet(
            "layout",
            "Show it",
            "In the layout of your posts, such as `_includes/post.njk`, after `{{ content | safe "
            "}}`.",
            '{% include "flattr.njk" %}',
        ),
    ),
    fills_address=True,
)

GITHUB = Platform(
    "github",
    "GitHub",
    ELSEWHERE,
    "A badge in the README, and a link behind the Sponsor button.",
    (
        Snippet(
            "markdown",
            "In README.md",
            "Markdown, as in other places that speak it.",
            "[![Flattr this](@TEXT_BADGE@QUERY)](@TEXT_SUBMIT@QUERY)",
        ),
        Snippet(
            "funding",
            "In .github/FUNDING.yml",
            "On the default branch; then Settings, General, Features, Sponsorships. Up to four "
            "such addresses may stand in the list.",
            'custom: ["@TEXT_SUBMIT@QUERY"]',
        ),
    ),
    proof=NO_PROOF,
)

FEEDS = Platform(
    "feeds",
    "RSS and Atom",
    ELSEWHERE,
    "A payment link, which feed readers and podcast apps offer to their users.",
    (
        Snippet(
            "rss",
            "In an item of RSS",
            "Each item has its own, with its own page as `url`; one in the `channel` is for the "
            "whole feed.",
            '<atom:link rel="payment" type="text/html" title="Flattr this!" href="@SUBMIT@QUERY"/>',
        ),
        Snippet(
            "namespace",
            "RSS needs the namespace, once",
            "The first element of the feed then reads so. Keep the other namespaces it has.",
            '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">',
        ),
        Snippet(
            "atom",
            "In an entry of Atom",
            "The same for each `entry`, or once for the `feed`.",
            '<link rel="payment" type="text/html" title="Flattr this!" href="@SUBMIT@QUERY"/>',
        ),
        Snippet(
            "content",
            "In the text of an entry",
            "For readers that know no payment links, inside `content:encoded` or `content`.",
            f"<p>{link('@QUERY')}</p>",
        ),
    ),
    proof="A feed shows the button. The proof is a button on the page itself, or on the site.",
)

PODCASTS = Platform(
    "podcasts",
    "Podcasts",
    ELSEWHERE,
    "Podcast apps show a button for `podcast:funding`, and older ones for payment links.",
    (
        Snippet(
            "namespace",
            "Name the namespaces",
            "The first element of the feed then reads so. Keep the other namespaces it has.",
            '<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"'
            ' xmlns:atom="http://www.w3.org/2005/Atom">',
        ),
        Snippet(
            "funding",
            "For the whole podcast",
            "Inside `channel`, with the podcast's own page as address. Many hosts have a field "
            "called Funding or Support link: paste the address alone there.",
            '<podcast:funding url="@SUBMIT@QUERY">Flattr this podcast</podcast:funding>',
        ),
        Snippet(
            "episode",
            "For an episode",
            "Inside its `item`, with the episode's page as address.",
            '<atom:link rel="payment" type="text/html" title="Flattr this!" href="@SUBMIT@QUERY"/>',
        ),
        Snippet("address", "The address alone", "For a form of your host.", "@TEXT_SUBMIT@QUERY"),
    ),
    proof="A feed shows the button. The proof is a button on the podcast's page, or on its site.",
)

MASTODON = Platform(
    "mastodon",
    "Mastodon",
    ELSEWHERE,
    "A field of your profile leads to your button.",
    (
        Snippet(
            "field",
            "Add a field to your profile",
            "Preferences, Public profile, Extra fields: `Flattr` as label, this as content. It may "
            "have at most 255 letters.",
            "@TEXT_SUBMIT@QUERY",
        ),
    ),
    proof=NO_PROOF,
)

YOUTUBE = Platform(
    "youtube",
    "YouTube",
    ELSEWHERE,
    "A line in the description of a video, and a link on your channel.",
    (
        Snippet(
            "description",
            "In the description",
            "Near the top: the rest is folded. YouTube Studio, Settings, Upload defaults puts it "
            "into each new video.",
            "Flattr this: @TEXT_SUBMIT@QUERY",
        ),
        Snippet(
            "channel",
            "On your channel",
            "YouTube Studio, Customisation, Profile, Links: `Flattr` as title, this as address.",
            "@TEXT_SUBMIT@QUERY",
        ),
    ),
    proof=NO_PROOF,
)

MAIL = Platform(
    "mail",
    "Mail signature",
    ELSEWHERE,
    "Under your mails and newsletters, with an address that stays the same.",
    (
        Snippet(
            "html",
            "For mail with pictures",
            "In Thunderbird: Account Settings, Use HTML. Many programs show pictures only when "
            "asked; until then the words are there.",
            link("@QUERY"),
        ),
        Snippet(
            "text",
            "For plain text",
            "Two dashes and a space begin a signature.",
            "-- \nFlattr this: @TEXT_SUBMIT@QUERY",
        ),
    ),
    proof="A mail proves nothing. The proof is a button on the page it leads to, or on its site.",
)

PLATFORMS = {
    platform.slug: platform
    for platform in (
        HTML,
        WORDPRESS,
        BLOGGER,
        TUMBLR,
        GHOST,
        DRUPAL,
        MEDIAWIKI,
        JEKYLL,
        HUGO,
        PELICAN,
        ELEVENTY,
        GITHUB,
        FEEDS,
        PODCASTS,
        MASTODON,
        YOUTUBE,
        MAIL,
    )
}
