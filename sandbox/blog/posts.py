"""The posts: the demo's things, each embedding the button in one of three ways."""

from dataclasses import dataclass

BYLINE = "A small blog that stands in for the rest of the web."


@dataclass(frozen=True)
class Post:
    """`embed` names how the page asks for a flattr: element, badge or payment."""

    slug: str
    author: str
    title: str
    summary: str
    embed: str
    paragraphs: tuple[str, ...]

    def url(self, blog: str) -> str:
        return f"{blog}/posts/{self.slug}/"


POSTS = (
    Post(
        slug="sourdough-without-a-scale",
        author="bob",
        title="Sourdough without a scale",
        summary="Two cups, one spoon, and a loaf that forgives.",
        embed="element",
        paragraphs=(
            "My scale died on a Saturday, halfway through a recipe that asked for 437 grams of "
            "flour. The bread did not care. It has been made for six thousand years by people who "
            "had never seen a gram.",
            "Take two cups of flour and one of water, and stir in a generous spoon of starter. "
            "The dough should stick to your hand the way a sleepy cat does: it lets go if you ask "
            "politely. Fold it four times in two hours, then leave it in the cold until tomorrow.",
            "Bake it as hot as your oven goes, under a lid for the first half. Wait until it has "
            "stopped crackling before you cut it. Nobody ever has.",
        ),
    ),
    Post(
        slug="the-hour-before-the-birds",
        author="carol",
        title="The hour before the birds",
        summary="A field recording, and what you can hear in it.",
        embed="badge",
        paragraphs=(
            "At four in the morning the forest is not silent, it is only busy with other things. "
            "I left two microphones on a stump, walked a hundred metres away, and slept badly in "
            "a wet sleeping bag so that you do not have to.",
            "First there is the stream. Then, for eleven minutes, an owl who has something to "
            "settle with another owl. Around half past four the first robin starts, alone and a "
            "little too early, like somebody who clapped between two movements.",
            "The recording is free, and it stays free. If it made a quiet hour for you, the "
            "button below is how you can say so.",
        ),
    ),
    Post(
        slug="a-clock-that-runs-on-tide",
        author="dora",
        title="A clock that runs on the tide",
        summary="Open hardware, twelve parts, one harbour wall.",
        embed="payment",
        paragraphs=(
            "The sea goes up and down twice a day and asks for nothing. It seemed rude not to "
            "build a clock from it. There are twelve parts, and eleven of them came out of the "
            "drawer every workshop has.",
            "A float turns a drum, the drum winds a spring, and the spring does not care whether "
            "the water rises or falls: two ratchets see to that. The drawings and the notes on "
            "what barnacles do to bearings are in the repository.",
            "It loses four minutes a day. So does the harbour master.",
        ),
    ),
    Post(
        slug="what-to-do-with-the-heel",
        author="bob",
        title="What to do with the heel",
        summary="Seven lives of the end of a loaf.",
        embed="element",
        paragraphs=(
            "The heel is where the loaf keeps its memory. Rub it with garlic and it is a starter; "
            "tear it into soup and it is supper; forget it for a week and it is crumbs, which is "
            "three more recipes.",
            "The seventh life is the best one: give it to whoever bakes the next loaf.",
        ),
    ),
    Post(
        slug="eleven-minutes-of-owl",
        author="carol",
        title="Eleven minutes of owl",
        summary="The whole argument between two owls, uncut.",
        embed="badge",
        paragraphs=(
            "People wrote to ask what the owls said after I faded them out. Here is all of it, "
            "with the pauses, which are the best part: each of them is an owl thinking.",
            "Wear headphones. The second owl is forty metres behind your left shoulder.",
        ),
    ),
    Post(
        slug="letters-to-a-lighthouse",
        author="fritz",
        title="Letters to a lighthouse",
        summary="It has not answered yet.",
        embed="payment",
        paragraphs=(
            "Dear lighthouse, I can see you from the kitchen. You blink at everybody, I know, but "
            "at ten past nine it is only me at the window, so I take it personally.",
            "I will write again when the fog lifts.",
        ),
    ),
)


def post_of(slug: str) -> Post | None:
    return next((post for post in POSTS if post.slug == slug), None)
