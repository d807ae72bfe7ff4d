"""Where the values come from: the user's environment, `.env`, or made here."""

from local.environment import own_environment, read_dotenv


def test_the_users_environment_wins_over_dotenv_and_that_over_ours(tmp_path):
    (tmp_path / ".space").mkdir()
    (tmp_path / ".env").write_text("SECRET_KEY=from-dotenv\nSPACE_ENV=production\n")
    found = own_environment(tmp_path, {"SPACE_ENV": "test", "PYTHONPATH": "/elsewhere"})
    assert found["SPACE_ENV"] == "test"
    assert found["SECRET_KEY"] == "from-dotenv"
    assert len(found["TOKEN_SIGNING_KEY"]) >= 32
    assert "PYTHONPATH" not in found


def test_the_variables_of_a_postgresql_reach_ours_only_if_it_is_used(tmp_path):
    (tmp_path / ".space").mkdir()
    theirs = {"PGSSLMODE": "verify-full"}
    given = theirs | {"DATABASE_URL": "postgres://db/space"}
    assert "PGSSLMODE" not in own_environment(tmp_path, theirs)
    assert "PGSSLMODE" in own_environment(tmp_path, given)


def test_secrets_are_made_once(tmp_path):
    (tmp_path / ".space").mkdir()
    first, second = own_environment(tmp_path, {}), own_environment(tmp_path, {})
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert first["SECRET_KEY"] != first["TOKEN_SIGNING_KEY"]


def test_a_dotenv_file_may_have_comments_quotes_and_exports(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# a comment\nexport A='one two'\nB=\"x=y\"\n\n#C=3\nD = 4\n")
    assert read_dotenv(file) == {"A": "one two", "B": "x=y", "D": "4"}
