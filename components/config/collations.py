"""The collations that a database of a MariaDB may have."""

DEFAULT = "utf8mb4_unicode_ci"
"""Of a database that names none."""
OLDEST_UCA1400 = (10, 10)
"""The first MariaDB with collations of Unicode 14 (mariadb.com/docs, "Supported Character Sets and
Collations")."""

_LANGUAGES = (
    "croatian|czech|danish|esperanto|estonian|german2|hungarian|icelandic|latvian|lithuanian|"
    "persian|polish|roman|romanian|sinhala|slovak|slovenian|spanish2|spanish|swedish|turkish|"
    "vietnamese"
)
_UNICODE = (
    rf"(?:{_LANGUAGES}|general|general_nopad|myanmar|unicode|unicode_nopad|unicode_520|"
    r"unicode_520_nopad)_ci|bin|nopad_bin|croatian_mysql561_ci|thai_520_w2|"
    rf"uca1400(?:_(?:{_LANGUAGES}))?(?:_nopad)?_(?:ai|as)_(?:ci|cs)"
)
PATTERN = (
    rf"utf8mb[34]_(?:{_UNICODE})|utf8mb3_general_mysql500_ci|"
    r"latin1_(?:bin|danish_ci|general_ci|general_cs|german1_ci|german2_ci|nopad_bin|spanish_ci|"
    r"swedish_ci|swedish_nopad_ci)|ascii_(?:bin|general_ci|general_nopad_ci|nopad_bin)|binary"
)
"""Those of ascii, binary, latin1, utf8mb3 and utf8mb4 (MariaDB 10.11,
`information_schema.COLLATION_CHARACTER_SET_APPLICABILITY`)."""


def charset_of(collation: str) -> str:
    """The character set that a collation belongs to."""
    return collation.partition("_")[0]
