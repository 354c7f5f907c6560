from ccproxy_tray.translate.foreign import mapping, string


def test_foreign_json_of_the_wrong_type_reads_as_nothing() -> None:
    assert mapping([1]) == {}
    assert mapping({"a": 1}) == {"a": 1}
    assert string(3) == ""
    assert string("x") == "x"
