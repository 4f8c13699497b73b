"""What an owner says of their own thing, in the place of what its page or a visitor said."""

from accounts.models import User
from buttons.models import Thing
from buttons.submissions import Words


class NotTheirs(Exception):
    """The thing has another owner by now, or none, so its words stay as they are."""


def describe_thing(
    owner: User, thing_id: int, words: Words, *, shows_readers: bool = False
) -> None:
    """Write down an owner's words, all but the category, and what the badge shows.

    Raises NotTheirs.

    They stay when the page is looked at again, for as long as the thing has this owner.
    """
    written = Thing.objects.filter(pk=thing_id, owner=owner).update(
        title=words.title,
        description=words.description,
        language=words.language,
        tags=list(words.tags),
        is_hidden=words.is_hidden,
        shows_readers=shows_readers,
        described_by=owner,
        is_edited=True,
    )
    if not written:
        raise NotTheirs
