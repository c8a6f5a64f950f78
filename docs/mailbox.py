#!/usr/bin/env python3
"""Sends and receives messages through the unix socket of a minime daemon: see protocol.md.

  mailbox.py SOCKET send NODE TAG < message
  mailbox.py SOCKET recv TAG > message
"""
import io, socket, struct, sys

REQUEST, ITEM, END, ERROR, CREDIT = 1, 2, 3, 4, 6
RAW, MORE, NEXT = 2, 4, 8
NUMBERS = dict(zip(range(0xCA, 0xD4), "fdBHIQbhiq"))
LENGTHS = dict(zip([0xC4, 0xC5, 0xC6, *range(0xD9, 0xE0)], "BHIBHIHIHI"))

def pack(value):  # MessagePack, as far as arguments need it
    if value is None: return b"\xc0"
    if isinstance(value, int): return struct.pack(">BI", 0xCE, value)
    if isinstance(value, bytes): return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, str): return struct.pack(">BI", 0xDB, len(value.encode())) + value.encode()
    return struct.pack(">BH", 0xDE, len(value)) + b"".join(pack(x) for pair in value.items() for x in pair)

def unpack(data):
    def number(code): return struct.unpack(">" + code, data.read(struct.calcsize(code)))[0]
    tag = data.read(1)[0]
    if tag < 0x80 or tag >= 0xE0: return tag if tag < 0x80 else tag - 256
    if tag in NUMBERS: return number(NUMBERS[tag])
    if tag in (0xC0, 0xC2, 0xC3): return {0xC0: None, 0xC2: False, 0xC3: True}[tag]
    length = number(LENGTHS[tag]) if tag in LENGTHS else tag & (31 if tag >= 0xA0 else 15)
    if tag in (0xC4, 0xC5, 0xC6): return data.read(length)
    if 0xA0 <= tag < 0xDC: return data.read(length).decode()
    if 0x90 <= tag < 0xDE: return [unpack(data) for _ in range(length)]
    return {unpack(data): unpack(data) for _ in range(length)}

class Daemon:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.reader, self.stream = self.socket.makefile("rb"), -1

    def write(self, kind, body=b"", head=b""):
        pieces = [body[at:at + 65000] for at in range(0, len(body), 65000)] or [b""]
        for index, piece in enumerate(pieces):  # a frame holds 65,535 bytes at most
            flags = (NEXT if index else 0) | (MORE if index < len(pieces) - 1 else 0)
            total = struct.pack(">I", len(body)) if flags == MORE else b""
            part = struct.pack(">BBBBI", 1, kind, flags, 1, self.stream) + total + (head if not index else b"") + piece
            self.socket.sendall(struct.pack(">H", len(part)) + part)

    def read(self):
        body, flags = b"", MORE
        while flags & MORE:
            frame = self.reader.read(struct.unpack(">H", self.reader.read(2))[0])
            kind, flags = frame[1], frame[2]
            body += frame[12:] if flags & MORE and not flags & NEXT else frame[8:]
        return kind, body if flags & RAW or not body else unpack(io.BytesIO(body)), 16 + len(body)

    def call(self, verb, args, *items):
        """What the verb streams, item by item, and last of all its reply."""
        self.stream += 2  # who dials uses odd numbers
        self.write(REQUEST, pack(args), struct.pack(">IB", 0, len(verb)) + verb.encode())
        for item in items: self.write(ITEM, pack(item))
        self.write(END)
        kind = ITEM
        while kind != END:
            kind, body, weight = self.read()
            if kind == ERROR: sys.exit("%(class)s: %(message)s" % body)
            if kind in (ITEM, END): yield body
            if kind == ITEM: self.write(CREDIT, pack(weight))

daemon = Daemon(sys.argv[1])
if sys.argv[2] == "send":
    body = sys.stdin.buffer.read(4_000_001)  # what fits into one request, and a byte
    if len(body) > 4_000_000: sys.exit("invalid: Message has more than 4000000 bytes")
    [reply] = daemon.call("mailbox.send", {"node": sys.argv[3], "tag": sys.argv[4], "data": body})
    sys.exit(0 if reply["kept"] else "full: %s" % reply["full"])
head, *pieces, reply = daemon.call("mailbox.receive", {"tag": sys.argv[3]}, None)  # an item asks for a message
sys.stdout.buffer.write(b"".join(pieces))
