"""Instructions of the kernel's BPF machine, written down with names for places to jump to. Pure.

In: instructions in their order. Out: the bytes that the kernel loads. RFC 9669 is the instruction set; only what
`guard_program.py` needs is here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NewType

Register = NewType("Register", int)
R0, R1, R2, R3, R4, R5, R6, R7, R8, R9 = (Register(number) for number in range(10))

# RFC 9669, sections 3 to 5
_INSTRUCTION = struct.Struct("=BBhi")  # opcode, source and destination, offset, immediate
_JUMP, _JUMP_ALWAYS, _EXIT, _LOAD, _BIG_ENDIAN = 0x05, 0x00, 0x95, 0x61, 0xDC
_FROM_REGISTER = 0x08
_ARITHMETIC: Final = {"add": 0x07, "sub": 0x17, "and": 0x57, "lsh": 0x67, "rsh": 0x77, "mov": 0xB7}
_CONDITIONS: Final = {"==": 0x10, ">": 0x20, ">=": 0x30, "!=": 0x50, "<": 0xA0, "<=": 0xB0}
_SIZES: Final = {4: 0x00, 2: 0x08, 1: 0x10}


@dataclass(frozen=True, slots=True)
class Imm:
    """A number in an instruction, 32 bits, signed."""

    value: int


@dataclass(frozen=True, slots=True)
class _Instruction:
    opcode: int
    destination: int = 0
    source: int = 0
    offset: int | str = 0  # a label, of a jump
    immediate: int = 0


@dataclass(slots=True)
class Assembler:
    """Collects instructions; `assemble` resolves the labels."""

    _instructions: list[_Instruction] = field(default_factory=list)
    _labels: dict[str, int] = field(default_factory=dict)

    def label(self, name: str) -> None:
        """Name the place of the next instruction."""
        if name in self._labels:
            raise ValueError(f"label {name} is there twice")
        self._labels[name] = len(self._instructions)

    def load(self, destination: Register, source: Register, offset: int, size: int) -> None:
        """Load `size` bytes at `source + offset`."""
        self._add(_LOAD | _SIZES[size], destination, source, offset)

    def load_big_endian(self, destination: Register, source: Register, offset: int) -> None:
        """Load two bytes in network order."""
        self.load(destination, source, offset, 2)
        self._add(_BIG_ENDIAN, destination, immediate=16)

    def calculate(self, operation: str, destination: Register, operand: Register | Imm) -> None:
        """Do 64 bits of arithmetic: add, sub, and, lsh, rsh, mov."""
        self._with_operand(_ARITHMETIC[operation], destination, operand)

    def jump(self, label: str) -> None:
        """Go on at `label`, which must come later: so every program ends."""
        self._add(_JUMP | _JUMP_ALWAYS, offset=label)

    def jump_if(self, left: Register, condition: str, right: Register | Imm, label: str) -> None:
        """Go on at `label` where the unsigned comparison holds."""
        self._with_operand(_JUMP | _CONDITIONS[condition], left, right, label)

    def leave(self, value: int) -> None:
        """End the program with `value`."""
        self.calculate("mov", R0, Imm(value))
        self._add(_EXIT)

    def assemble(self) -> bytes:
        """Return the program."""
        return b"".join(self._encode(at, instruction) for at, instruction in enumerate(self._instructions))

    def _encode(self, at: int, instruction: _Instruction) -> bytes:
        offset = instruction.offset
        if isinstance(offset, str):
            offset = self._labels[offset] - at - 1
            if offset < 0:
                raise ValueError(f"a jump back, to {instruction.offset}")
        registers = instruction.source << 4 | instruction.destination
        return _INSTRUCTION.pack(instruction.opcode, registers, offset, instruction.immediate)

    def _with_operand(
        self, opcode: int, destination: Register, operand: Register | Imm, offset: int | str = 0
    ) -> None:
        if isinstance(operand, Imm):
            self._add(opcode, destination, offset=offset, immediate=operand.value)
        else:
            self._add(opcode | _FROM_REGISTER, destination, operand, offset)

    def _add(
        self,
        opcode: int,
        destination: int = 0,
        source: int = 0,
        offset: int | str = 0,
        *,
        immediate: int = 0,
    ) -> None:
        self._instructions.append(_Instruction(opcode, destination, source, offset, immediate))
