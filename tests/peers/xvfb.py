# SPDX-FileCopyrightText: The libvtunnel authors
# SPDX-License-Identifier: MIT
"""A display of X11 that is nowhere but in memory, and what stands on it."""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import zlib


class Display:
    def __init__(self, width, height):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='vtunnel-xvfb-'))
        # A sanitizer is for the programs that are tested.
        env = {name: value for name, value in os.environ.items() if name != 'LD_PRELOAD'}
        self.process = subprocess.Popen(
            ['Xvfb', '-displayfd', '1', '-screen', '0', f'{width}x{height}x24', '-nolisten', 'tcp',
             '-noreset', '-fbdir', str(self.folder)], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, env=env)
        number = self.process.stdout.readline().strip()
        assert number, 'Xvfb does not start'
        self.name = f':{number}'

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def picture(self):
        """What is on it now: its memory is a file of the form that xwd writes."""
        data = (self.folder / 'Xvfb_screen0').read_bytes()
        fields = struct.unpack('>25I', data[:100])
        header, width, height, line, colours = (fields[0], fields[4], fields[5], fields[12],
                                                fields[19])
        assert (fields[7], fields[11]) == (0, 32), 'pixels are BGRX'
        start = header + 12 * colours
        return Picture(width, height,
                       [data[start + y * line:start + y * line + 4 * width] for y in range(height)])


class Picture:
    def __init__(self, width, height, lines):
        self.width = width
        self.height = height
        self.lines = lines

    def colours(self, x, y, width, height):
        """How many different ones there are in a part of it."""
        return len({self.lines[row][4 * column:4 * column + 3]
                    for row in range(y, y + height) for column in range(x, x + width)})

    def pixel(self, x, y):
        blue, green, red, _ = self.lines[y][4 * x:4 * x + 4]
        return red, green, blue

    def save(self, path):
        """As PNG."""
        def chunk(kind, data):
            return (struct.pack('>I', len(data)) + kind + data
                    + struct.pack('>I', zlib.crc32(kind + data)))
        rows = bytearray()
        for line in self.lines:
            rows.append(0)
            pixels = bytearray(3 * self.width)
            pixels[0::3], pixels[1::3], pixels[2::3] = line[2::4], line[1::4], line[0::4]
            rows += pixels
        pathlib.Path(path).write_bytes(
            b'\x89PNG\r\n\x1a\n'
            + chunk(b'IHDR', struct.pack('>IIBBBBB', self.width, self.height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(bytes(rows), 9)) + chunk(b'IEND', b''))
