"""Text in columns of a terminal: Chinese characters take two. Prints nothing."""
import unicodedata

# Lab, result, time, expected, seen: 80 columns with what is between them.
WIDTHS = (4, 7, 6, 33, 22)
BETWEEN = "  "


def width(text):
    """How many columns it takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def wrapped(text, most):
    """Its lines of no more columns than that, broken at spaces and beside wide characters."""
    lines, line = [], ""
    for piece in pieces(text):
        if line and width(line + piece.rstrip()) > most:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
        while width(line.rstrip()) > most:
            fits = next(end for end in range(len(line), 0, -1) if width(line[:end]) <= most)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line.rstrip()]


def pieces(text):
    """What is not broken: words with the space after them, wide characters with the punctuation after them."""
    found = [""]
    for letter in text:
        wide = unicodedata.east_asian_width(letter) in "WF"
        ends = found[-1][-1:].isspace() or wide or width(found[-1][-1:]) == 2
        if ends and not letter.isspace() and letter not in "，。：；、）,.:;)":
            found.append("")
        found[-1] += letter
    return found


def table(heads, rows):
    """The lines of a table: as many cells as there are widths; what is too long for its column goes on below."""
    lines = []
    for row in (heads, *rows):
        cells = [wrapped(cell, most) for cell, most in zip(row, WIDTHS, strict=True)]
        for number in range(max(map(len, cells))):
            found = [cell[number] if number < len(cell) else "" for cell in cells]
            padded = (cell + " " * (most - width(cell)) for cell, most in zip(found, WIDTHS))
            lines.append(BETWEEN.join(padded).rstrip())
    return lines
