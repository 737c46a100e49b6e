"""Route 53's health checks, stored and returned as on AWS."""

from typing import Any

from ministack.services import route53


def keep_health_checks_as_configured() -> None:
    """Have Route 53 keep a health check's lists, and write its booleans so that SDKs can read them.

    ministack stores the id of each child of a calculated check as empty, and writes `True` where XML has
    `true`, which every AWS SDK reads as false: no check would be calculated, inverted or disabled.
    https://www.w3.org/TR/xmlschema-2/#boolean
    """
    parse, build = route53._parse_health_check_config, route53._build_health_check_el  # noqa: SLF001 - all goes by these

    def parse_with_lists(element: Any) -> dict[str, Any]:
        config: dict[str, Any] = parse(element)
        for name in ("ChildHealthChecks", "Regions"):
            if name in config:
                config[name] = [item.text for item in route53._find(element, name)]  # noqa: SLF001 - as above
        return config

    def build_with_xml_booleans(parent: Any, check: dict[str, Any]) -> None:
        config = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in check["config"].items()
        }
        build(parent, {**check, "config": config})

    route53._parse_health_check_config = parse_with_lists  # noqa: SLF001 - as above
    route53._build_health_check_el = build_with_xml_booleans  # noqa: SLF001 - as above
