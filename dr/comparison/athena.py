"""The comparison of two exports as SQL for Athena, for tables that outgrow one machine.

Written in Trino's dialect, turned into Athena's by sqlglot and parse-checked in a test; it was never run on
Athena. The tables read the exports where they lie. Texts are compared, so items that are merely written
otherwise are listed too: `responder dr compare` judges those.
"""

from typing import Final

import sqlglot

from topology.tables import KeySpec

DIALECT: Final = "athena"

_COMPARE: Final = """
WITH expected AS (
    SELECT
        COALESCE(JSON_EXTRACT_SCALAR(line, '$.Item.{key}.{type}'), '') AS id,
        COUNT(*) AS items,
        MIN(MD5(TO_UTF8(line))) AS digest
    FROM {left}
    GROUP BY 1
), found AS (
    SELECT
        COALESCE(JSON_EXTRACT_SCALAR(line, '$.Item.{key}.{type}'), '') AS id,
        COUNT(*) AS items,
        MIN(MD5(TO_UTF8(line))) AS digest
    FROM {right}
    GROUP BY 1
)
SELECT
    COALESCE(expected.id, found.id) AS id,
    CASE
        WHEN COALESCE(expected.id, found.id) = '' THEN 'keyless'
        WHEN expected.items > 1 OR found.items > 1 THEN 'twice'
        WHEN found.id IS NULL THEN 'missing'
        WHEN expected.id IS NULL THEN 'extra'
        ELSE 'changed'
    END AS kind
FROM expected
FULL OUTER JOIN found ON expected.id = found.id
WHERE expected.id IS NULL OR found.id IS NULL OR expected.digest <> found.digest
    OR expected.items > 1 OR found.items > 1 OR expected.id = ''
ORDER BY kind, id
"""

_TABLE: Final = """
CREATE EXTERNAL TABLE `{name}` (`line` STRING)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES ('input.regex' = '(.*)')
STORED AS TEXTFILE
LOCATION 's3://{bucket}/{root}/data/'
"""


def comparison_sql(*, key: KeySpec, left: str, right: str) -> str:
    """The query over two tables of lines; `left` has what should be there.

    Raises:
        sqlglot.errors.ParseError: a table's name is none.
    """
    query = _COMPARE.format(key=key.name, type=key.type, left=left, right=right)
    return sqlglot.transpile(query, read="trino", write=DIALECT, pretty=True)[0]


def table_sql(*, name: str, bucket: str, root: str) -> str:
    """The table of an export's lines, by the key of its folder; the regular expression keeps a line whole."""
    return _TABLE.format(name=name.replace("`", ""), bucket=bucket, root=root.replace("'", "")).strip()
