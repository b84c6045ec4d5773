"""Google scopes: what an app in the simulated world asks for, and what the Admin SDK methods need."""

AUTH = "https://www.googleapis.com/auth/"

OPENID_ALIASES = {"email": AUTH + "userinfo.email", "profile": AUTH + "userinfo.profile"}
"""Google's token endpoint answers the long names of these two."""

SIGN_IN = ("openid", AUTH + "userinfo.email", AUTH + "userinfo.profile")

PROFILES: dict[str, tuple[str, ...]] = {
    "signin": SIGN_IN,
    "cal": (AUTH + "calendar",),
    "cal_ev": (AUTH + "calendar.events",),
    "cal_r": (AUTH + "calendar.readonly",),
    "contacts": (AUTH + "contacts",),
    "contacts_r": (AUTH + "contacts.readonly",),
    "dir_r": (AUTH + "admin.directory.user.readonly",),
    "docs": (AUTH + "documents",),
    "drive": (AUTH + "drive",),
    "drive_file": (AUTH + "drive.file",),
    "drive_install": (AUTH + "drive.install",),
    "drive_r": (AUTH + "drive.readonly",),
    "gmail_compose": (AUTH + "gmail.compose",),
    "gmail_full": ("https://mail.google.com/",),
    "gmail_meta": (AUTH + "gmail.metadata",),
    "gmail_mod": (AUTH + "gmail.modify",),
    "gmail_r": (AUTH + "gmail.readonly",),
    "gmail_send": (AUTH + "gmail.send",),
    "meet_r": (AUTH + "meetings.space.readonly",),
    "sheets": (AUTH + "spreadsheets",),
    "sheets_r": (AUTH + "spreadsheets.readonly",),
    "slides": (AUTH + "presentations",),
    "youtube": (AUTH + "youtube.readonly",),
}

USER = AUTH + "admin.directory.user"
USER_R = AUTH + "admin.directory.user.readonly"
SECURITY = AUTH + "admin.directory.user.security"
CUSTOMER = AUTH + "admin.directory.customer"
CUSTOMER_R = AUTH + "admin.directory.customer.readonly"
AUDIT = AUTH + "admin.reports.audit.readonly"
CLOUD = AUTH + "cloud-platform"
CHROME = AUTH + "chrome.management.reports.readonly"
CHROME_DETAILS = AUTH + "chrome.management.appdetails.readonly"
MAIL = frozenset(
    {AUTH + "gmail.metadata", AUTH + "gmail.readonly", AUTH + "gmail.modify", "https://mail.google.com/"}
)

METHOD_SCOPES: dict[str, frozenset[str]] = {
    "directory.users.list": frozenset({USER, USER_R, CLOUD}),
    "directory.users.get": frozenset({USER, USER_R}),
    "directory.customers.get": frozenset({CUSTOMER, CUSTOMER_R}),
    "directory.tokens.list": frozenset({SECURITY}),
    "directory.tokens.get": frozenset({SECURITY}),
    "directory.tokens.delete": frozenset({SECURITY}),
    "directory.asps.list": frozenset({SECURITY}),
    "reports.activities.list": frozenset({AUDIT}),
    "reports.activities.watch": frozenset({AUDIT}),
    "reports.channels.stop": frozenset({AUDIT}),
    "directory.asps.delete": frozenset({SECURITY}),
    "directory.users.signOut": frozenset({SECURITY}),
    "directory.users.watch": frozenset({USER, USER_R, CLOUD}),
    "directory.channels.stop": frozenset({USER, USER_R, USER + ".alias", USER + ".alias.readonly", CLOUD}),
    "chrome.customers.reports.countInstalledApps": frozenset({CHROME}),
    "chrome.customers.reports.findInstalledAppProfiles": frozenset({CHROME}),
    "chrome.customers.reports.findSaasUsage": frozenset({CHROME}),
    "chrome.customers.reports.findSaasUsageProfiles": frozenset({CHROME}),
    "chrome.customers.apps.chrome.get": frozenset({CHROME_DETAILS}),
    "gmail.users.getProfile": MAIL | {AUTH + "gmail.compose"},
    "gmail.users.history.list": MAIL,
    "gmail.users.messages.list": MAIL,
    "gmail.users.messages.get": MAIL
    | {
        AUTH + "gmail.addons.current.message.action",
        AUTH + "gmail.addons.current.message.metadata",
        AUTH + "gmail.addons.current.message.readonly",
    },
}
"""Any one of the scopes suffices; a test holds this table against Google's discovery documents."""

PRIVILEGES = {
    "directory.users.list": "users",
    "directory.users.get": "users",
    "directory.customers.get": "customer",
    "directory.tokens.list": "security",
    "directory.tokens.get": "security",
    "directory.tokens.delete": "security",
    "directory.asps.list": "security",
    "reports.activities.list": "reports",
    "reports.activities.watch": "reports",
    "reports.channels.stop": "reports",
    "directory.asps.delete": "security",
    "directory.users.signOut": "security",
    "directory.users.watch": "users",
    "directory.channels.stop": "users",
    "chrome.customers.reports.countInstalledApps": "chrome",
    "chrome.customers.reports.findInstalledAppProfiles": "chrome",
    "chrome.customers.reports.findSaasUsage": "chrome",
    "chrome.customers.reports.findSaasUsageProfiles": "chrome",
    "chrome.customers.apps.chrome.get": "chrome",
}
"""The administrator privilege each method needs of a delegated administrator (super admins hold all).

A method without one reads what is the caller's own.
"""

KNOWN_PREFIXES = (AUTH, "https://mail.google.com/", "https://www.google.com/")


def expand(profile: str) -> tuple[str, ...]:
    """The scopes of a space-separated list of profiles, sorted, each once."""
    return tuple(sorted({scope for name in profile.split() for scope in PROFILES[name]}))


def is_known(scope: str) -> bool:
    """Whether Google would accept the scope at all."""
    return scope in {"openid", "email", "profile"} or scope.startswith(KNOWN_PREFIXES)


def normalise(scopes: list[str]) -> tuple[str, ...]:
    """Scopes as the token endpoint names them, in order, each once."""
    return tuple(dict.fromkeys(OPENID_ALIASES.get(scope, scope) for scope in scopes))


def product_buckets(scope: str) -> list[str]:
    """The products an audit event attributes a scope to."""
    name = scope.removeprefix(AUTH)
    for prefix, bucket in (
        ("gmail", "GMAIL"),
        ("https://mail", "GMAIL"),
        ("drive", "DRIVE"),
        ("documents", "DRIVE"),
        ("spreadsheets", "DRIVE"),
        ("presentations", "DRIVE"),
        ("calendar", "CALENDAR"),
        ("contacts", "CONTACTS"),
        ("admin.", "GSUITE_ADMIN"),
        ("openid", "IDENTITY"),
        ("userinfo", "IDENTITY"),
        ("cloud-platform", "CLOUD"),
    ):
        if name.startswith(prefix):
            return [bucket, "OTHER"] if bucket == "IDENTITY" else [bucket]
    return ["OTHER"]
