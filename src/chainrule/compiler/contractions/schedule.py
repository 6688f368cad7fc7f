"""A schedule says how a contraction is computed: which axis runs in lanes, the tile kept in registers, blocks, and packing."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..loops.language import Axis, Contraction

NOTHING = Axis("", 1, 0, 0)  # an axis where a contraction has none


@dataclass(frozen=True)
class Tile:
    """The sums kept in registers: `rows` of the first of `axes`, times all of the other axes, times `vectors` along the lanes."""

    axes: tuple[Axis, ...]
    rows: int
    vectors: int

    @property
    def inner(self) -> int:
        return prod(a.size for a in self.axes[1:])


@dataclass(frozen=True)
class Outer:
    """A loop outside the tiles, in blocks: a round does one block."""

    axis: Axis
    block: int

    @property
    def blocks(self) -> int:
        return -(-self.axis.size // self.block)


@dataclass(frozen=True)
class Schedule:
    """How the sums of `contraction` are computed.

    width: lanes along `lane`; depth: lanes along the innermost summed axis (one of the two is 1)
    before, after: the loops over other free axes outside and inside the panels; by the first ones the right array moves
    panels, tiles: how many panels of the lane axis, and tiles of the first tiled axis, a round does
    packed: whether the right array is copied into panels; rows_packed: whether the rows of a round's tiles are copied too
    chunks, block: the outermost summed axis is cut into chunks added up apart, and these into blocks that stay in the cache;
    no chunks: it is not cut
    """

    contraction: Contraction
    width: int
    depth: int
    lane: Axis
    sums: tuple[Axis, ...]
    tile: Tile
    before: tuple[Outer, ...]
    panels: int
    after: tuple[Outer, ...]
    tiles: int
    packed: bool
    rows_packed: bool = False
    chunks: int = 0
    block: int = 0

    # ------------------------------------------------------------------------------------ how much
    @property
    def length(self) -> int:
        """Terms of a sum."""
        return prod(a.size for a in self.sums)

    @property
    def row_axes(self) -> tuple[Axis, ...]:
        """The free axes but the lanes' one, as partial sums are laid out."""
        return (*(o.axis for o in (*self.before, *self.after)), *self.tile.axes)

    @property
    def rows_total(self) -> int:
        return prod(a.size for a in self.row_axes)

    @property
    def padded(self) -> int:
        """Columns of partial sums: whole vectors."""
        return -(-self.lane.size // self.width) * self.width

    @property
    def steps(self) -> float:
        """Multiply-adds of whole registers, about."""
        return self.rows_total * self.padded / self.width * (self.length / self.depth)

    # ------------------------------------------------------------------------------------ pieces
    @property
    def lane_cuts(self) -> tuple[tuple[int, int | None], int, tuple[int, int | None] | None]:
        """A full panel (vectors, lanes of the last), how many there are, and the shorter last one."""
        full, rest = divmod(self.lane.size, self.tile.vectors * self.width)
        over = rest % self.width
        return (self.tile.vectors, None), full, (-(-rest // self.width), over or None) if rest else None

    @property
    def row_cuts(self) -> tuple[int, int, int | None]:
        """Rows of a full tile, how many tiles are full, and the rows of the shorter last one."""
        full, rest = divmod(self.tile.axes[0].size, self.tile.rows)
        return self.tile.rows, full, rest or None

    @property
    def panel_blocks(self) -> int:
        _, full, rest = self.lane_cuts
        return -(-(full + (rest is not None)) // self.panels)

    @property
    def tile_blocks(self) -> int:
        _, full, rest = self.row_cuts
        return -(-(full + (rest is not None)) // self.tiles)

    @property
    def filled(self) -> int:
        """Chunks that hold something."""
        return -(-self.sums[0].size // -(-self.sums[0].size // self.chunks)) if self.chunks else 1

    @property
    def rounds(self) -> int:
        return prod(o.blocks for o in (*self.before, *self.after)) * self.panel_blocks * self.tile_blocks * self.filled

    # ------------------------------------------------------------------------------------ memory
    @property
    def packed_length(self) -> int:
        """Terms that are packed at a time."""
        first = self.block if self.chunks else self.sums[0].size if self.sums else 1
        return first * prod(a.size for a in self.sums[1:])

    @property
    def panel_elements(self) -> int:
        """Elements of a packed panel."""
        return self.packed_length * self.tile.vectors * self.width

    @property
    def packed_elements(self) -> int:
        """Elements of all packed panels of a round, in whole cache lines."""
        return -(-self.panels * self.panel_elements // 64) * 64 if self.packed else 0

    @property
    def block_rows(self) -> int:
        """Rows of all tiles of a round."""
        return self.tiles * self.tile.rows

    @property
    def rows_step(self) -> int:
        """Elements of one step of the packed rows: whole vectors."""
        return -(-self.block_rows // self.width) * self.width

    @property
    def rows_packed_elements(self) -> int:
        """Elements of all packed rows of a round, in whole cache lines."""
        return -(-self.packed_length * self.rows_step // 64) * 64 if self.rows_packed else 0

    @property
    def tile_elements(self) -> int:
        return self.tile.rows * self.tile.inner * self.tile.vectors * self.width
