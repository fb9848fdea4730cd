"""Foreign text for people's eyes: one line, nothing that could steer a terminal."""


def safe(text: str) -> str:
    """Return foreign text on one line, without control characters.

    >>> safe("job" + chr(27) + "[2J" + chr(10) + "two")
    'job?[2J two'
    """
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
