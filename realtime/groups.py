"""Names of the Redis groups, in one place."""


def of_user(user_id: int) -> str:
    """Every process with a socket of this user is in it."""
    return f"user.{user_id}"
