"""Documents made by the tests."""

from collections.abc import Sequence

ABSTRACT = (
    "We propose a braided memory, S_t = a_t S_{t-1} + b_t v_t k_t^T, whose two decays are tied. "
    "It recalls more than a gated delta rule of the same size."
)
BODY = (
    "The state S_t keeps a decay a_t = sigmoid(w x_t) for every key channel of the memory. "
    "We thank our reviewers for the coffee that they brought to the meeting in the summer. "
    "The update is trained in chunks, and the softmax of the queries is replaced by a kernel. "
)
PAPER = f"""Braided Memories for Linear Attention
Ada Lovelace1,2, Charles van Babbage*, and Grace Hopper
University of Somewhere
arXiv:2509.01234v2 [cs.LG] 3 Sep 2025

Abstract
{ABSTRACT}

1 Introduction
It extends the delta rule (arXiv 2406.06484) and gates (2412.06464).

{BODY}

{"Nothing of note is said in this sentence of the paper either. " * 60}

References
[1] A state a_t = b_t of memory, decay, gate, key, value, query and softmax in 2301.00001.
"""

Line = tuple[int, str]


def pdf(lines: Sequence[Line], title: str = "", rotated: str = "") -> bytes:
    """Return a PDF of one page; every line has the size of its letters."""
    show = [
        f"/F1 {size} Tf 1 0 0 1 50 {780 - 30 * n} Tm ({escaped(text)}) Tj"
        for n, (size, text) in enumerate(lines)
    ]
    if rotated:
        show.append(f"/F1 40 Tf 0 1 -1 0 30 200 Tm ({escaped(rotated)}) Tj")
    content = "BT\n" + "\n".join(show) + "\nET"
    return assembled(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Title ({escaped(title)}) /CreationDate (D:20230405060708Z) >>",
    )


def assembled(*objects: str) -> bytes:
    """Return a file of these objects, the first its catalogue, the last its description."""
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    count = len(objects) + 1
    end = f"trailer\n<< /Size {count} /Root 1 0 R /Info {count - 1} 0 R >>\nstartxref\n{len(data)}\n%%EOF"
    return data + f"xref\n0 {count}\n0000000000 65535 f \n{table}{end}\n".encode()


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
