"""Workbooks by hand. Imported by small processes, so it needs nothing of the program."""

from __future__ import annotations

import io
import zipfile

M = 1 << 20
_NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


HEAD = f'<row r="1">{cell("A1", "卡号")}{cell("B1", "交易时间")}{cell("C1", "交易类型")}{cell("D1", "数量")}</row>'


def sheet(rows: str, more: str = "") -> str:
    return f'<?xml version="1.0"?><worksheet {_NAMESPACE}><sheetData>{rows}</sheetData>{more}</worksheet>'


def xlsx(parts: dict[str, str], sheets: int = 1) -> bytes:
    """A workbook by hand, with ``parts`` in place of the usual ones, and enough beside them that its ratio is no reason."""
    numbers = range(1, sheets + 1)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    made = {
        "[Content_Types].xml": f'<?xml version="1.0"?><Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/styles.xml"'
        f' ContentType="{kind}.styles+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="{kind}.sharedStrings+xml"/>'
        + "".join(f'<Override PartName="/xl/worksheets/sheet{k}.xml" ContentType="{kind}.worksheet+xml"/>' for k in numbers)
        + "</Types>",
        "_rels/.rels": f'<?xml version="1.0"?><Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r"'
        f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<?xml version="1.0"?><workbook {_NAMESPACE} xmlns:r="{_OFFICE}"><sheets>'
        + "".join(f'<sheet name="S{k}" sheetId="{k}" r:id="r{k}"/>' for k in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<?xml version="1.0"?><Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(f'<Relationship Id="r{k}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{k}.xml"/>' for k in numbers)
        + f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="styles.xml"/><Relationship Id="t"'
        f' Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/styles.xml": f'<?xml version="1.0"?><styleSheet {_NAMESPACE}><fonts><font/></fonts><fills><fill/></fills><borders>'
        '<border/></borders><cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf numFmtId="0"/></cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f'<?xml version="1.0"?><sst {_NAMESPACE}/>',
    } | {f"xl/worksheets/sheet{k}.xml": sheet(HEAD) for k in numbers}  # fmt: skip
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (made | parts).items():
            archive.writestr(name, text)
        archive.writestr(zipfile.ZipInfo("xl/media/noise.bin"), bytes(M))  # stored, not deflated
    return out.getvalue()
