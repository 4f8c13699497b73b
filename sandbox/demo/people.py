"""Who lives in the demo, what they made, and what they flattred."""

from dataclasses import dataclass

# Printed in the banner; the sandbox listens on this machine only and holds no real money.
DEMO_PASSWORD = "thank-you-for-the-music"  # noqa: S105


@dataclass(frozen=True)
class Person:
    """`budget` and `top_up` are amounts as people write them; empty means none."""

    username: str
    display_name: str
    about: str
    budget: str = ""
    top_up: str = ""
    is_admin: bool = False
    kind: str = "individual"

    @property
    def email(self) -> str:
        return f"{self.username}@flattr.example"


@dataclass(frozen=True)
class Made:
    """A thing on the demo blog. `owner` is empty where nobody proved that it is theirs."""

    slug: str
    owner: str
    title: str
    description: str
    category: str = "text"
    tags: tuple[str, ...] = ()


DEMO_PEOPLE = (
    Person("alice", "Alice Moreau", "Reads too much, pays for some of it.", "12", "30"),
    Person("bob", "Bob Tanaka", "Bakes, writes about it, bakes again.", "2", "10"),
    Person("carol", "Carol Lindqvist", "Records what forests say at night.", "5", "20"),
    Person("dora", "Dora Okafor", "Open hardware for people with one drawer.", "3", "12"),
    Person("emil", "Emil Novak", "Here for the owls.", "6", "20"),
    Person("fritz", "Fritz Weber", "Has a button, and has not set a budget yet."),
    Person("admin", "Ada Minsky", "Keeps this instance running.", is_admin=True),
)

THINGS = (
    Made(
        "sourdough-without-a-scale",
        "bob",
        "Sourdough without a scale",
        "Two cups, one spoon, and a loaf that forgives.",
        tags=("bread", "kitchen"),
    ),
    Made(
        "the-hour-before-the-birds",
        "carol",
        "The hour before the birds",
        "A field recording, and what you can hear in it.",
        "audio",
        ("field recording", "birds"),
    ),
    Made(
        "a-clock-that-runs-on-tide",
        "dora",
        "A clock that runs on the tide",
        "Open hardware, twelve parts, one harbour wall.",
        "software",
        ("open hardware", "clocks"),
    ),
    Made(
        "what-to-do-with-the-heel",
        "bob",
        "What to do with the heel",
        "Seven lives of the end of a loaf.",
        tags=("bread",),
    ),
    Made(
        "eleven-minutes-of-owl",
        "carol",
        "Eleven minutes of owl",
        "The whole argument between two owls, uncut.",
        "audio",
        ("owls", "field recording"),
    ),
    Made(
        "letters-to-a-lighthouse",
        "fritz",
        "Letters to a lighthouse",
        "It has not answered yet.",
        tags=("letters",),
    ),
)

# Who flattred what: the slugs above, in the order of the presses.
LAST_MONTH = {
    "alice": (
        "sourdough-without-a-scale",
        "the-hour-before-the-birds",
        "a-clock-that-runs-on-tide",
        "eleven-minutes-of-owl",
        "what-to-do-with-the-heel",
        "letters-to-a-lighthouse",
    ),
    "emil": (
        "eleven-minutes-of-owl",
        "the-hour-before-the-birds",
        "a-clock-that-runs-on-tide",
        "sourdough-without-a-scale",
    ),
    "bob": ("the-hour-before-the-birds", "a-clock-that-runs-on-tide"),
    "carol": (
        "sourdough-without-a-scale",
        "what-to-do-with-the-heel",
        "a-clock-that-runs-on-tide",
    ),
    "dora": (
        "sourdough-without-a-scale",
        "the-hour-before-the-birds",
        "eleven-minutes-of-owl",
        "letters-to-a-lighthouse",
    ),
}
THIS_MONTH = {
    "alice": (
        "eleven-minutes-of-owl",
        "a-clock-that-runs-on-tide",
        "what-to-do-with-the-heel",
    ),
    "emil": ("the-hour-before-the-birds", "eleven-minutes-of-owl"),
    "bob": ("eleven-minutes-of-owl",),
    "carol": ("sourdough-without-a-scale",),
    "dora": ("what-to-do-with-the-heel", "the-hour-before-the-birds"),
}
