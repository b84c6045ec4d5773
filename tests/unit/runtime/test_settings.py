import pytest

from lantern.runtime import settings
from lantern.runtime.settings import SettingsError


def test_settings_are_what_the_environment_says() -> None:
    found = settings.read({"LANTERN_STAGE": "prod", "AWS_REGION": "eu-west-1", "REQUESTS_PER_MINUTE": "30"})
    assert (found.stage, found.region, found.requests_per_minute) == ("prod", "eu-west-1", 30)
    assert found.endpoint_url is None


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "١"])
def test_a_number_is_a_number(text: str) -> None:
    with pytest.raises(SettingsError, match="REQUESTS_PER_MINUTE"):
        settings.read({"REQUESTS_PER_MINUTE": text})


@pytest.mark.parametrize("stage", ["", "Prod", "my_stage", "thirteenchars"])
def test_a_stage_fits_into_keys(stage: str) -> None:
    with pytest.raises(SettingsError, match="LANTERN_STAGE"):
        settings.read({"LANTERN_STAGE": stage})


def test_half_a_configuration_is_named() -> None:
    with pytest.raises(SettingsError, match="tenant_table"):
        settings.need(settings.read({"PLATFORM_TABLE": "p"}), "platform_table", "tenant_table")
