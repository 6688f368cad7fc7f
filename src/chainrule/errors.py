"""An error says what happened, where, with which values, and what to do.

    ChainruleError
    ├── ShapeError            shapes that do not fit, an axis that is not there         (also a ValueError)
    ├── BoundsError           an index beyond the end of an axis                        (also an IndexError)
    ├── DTypeError            a kind of number an operation has no meaning for          (also a TypeError)
    ├── ArgumentError         an option or argument outside what the operation accepts  (also a ValueError)
    ├── GradientError         a sweep that cannot start                                 (also a RuntimeError)
    │   ├── NonScalarError        backward from many numbers without saying how they are weighted
    │   └── NoPathError           no path leads from the loss to a value that wants a gradient
    ├── EscapedError          a value that outlived the transform that made it          (also a RuntimeError)
    ├── StagingError          a staged value, which has no number yet, used as if it had (also a TypeError)
    ├── UntraceableError      a function of NumPy or Python that derivatives cannot follow (also a TypeError)
    ├── ImmutableError        an attempt to change a value in place                     (also a TypeError)
    ├── DivergenceError       a training whose loss is no number any more               (also an ArithmeticError)
    ├── StorageError          a file or folder that cannot be written or read           (also an OSError)
    ├── RuleError             a backward rule that disagrees with differences           (also an AssertionError)
    │   └── DerivationError       a line of a derivation that disagrees with the numbers
    └── InputError            what a user typed or a file held cannot be used           (also a ValueError)
        ├── ExpressionError       a formula outside the allowed language
        └── DataError             data that cannot be trained on

    ChainruleWarning
    ├── PrecisionWarning      float64 data meets float32 parameters
    ├── CompileWarning        a compiled function that runs slower than it could
    └── CheckpointWarning     a checkpoint that is damaged, so that training goes on from the one before
"""


class ChainruleError(Exception):
    """Any error raised knowingly by chainrule."""


class ShapeError(ChainruleError, ValueError):
    """Shapes that do not fit, or an axis that is not there."""


class BoundsError(ChainruleError, IndexError):
    """An index beyond the end of an axis."""


class DTypeError(ChainruleError, TypeError):
    """A kind of number an operation has no meaning for."""


class ArgumentError(ChainruleError, ValueError):
    """An option or argument outside what the operation accepts."""


class GradientError(ChainruleError, RuntimeError):
    """A sweep that cannot start."""


class NonScalarError(GradientError):
    """Backward from many numbers, without saying how they are weighted."""


class NoPathError(GradientError):
    """No path leads from the loss to a value that wants a gradient."""


class EscapedError(ChainruleError, RuntimeError):
    """A value that outlived the transform that made it."""


class StagingError(ChainruleError, TypeError):
    """A staged value, which has no number yet, used as if it had one."""


class UntraceableError(ChainruleError, TypeError):
    """A function of NumPy or Python that derivatives cannot follow."""


class ImmutableError(ChainruleError, TypeError):
    """An attempt to change a value in place."""


class DivergenceError(ChainruleError, ArithmeticError):
    """A training whose loss is no number any more."""


class StorageError(ChainruleError, OSError):
    """A file or folder that cannot be written or read."""

    def __str__(self) -> str:
        return str(self.args[-1])


class RuleError(ChainruleError, AssertionError):
    """A backward rule that disagrees with differences."""


class DerivationError(RuleError):
    """A line of a derivation that does not hold: its formula and the recorded array differ."""


class InputError(ChainruleError, ValueError):
    """What a user typed, or a file held, cannot be used."""


class ExpressionError(InputError):
    """A formula outside the allowed language."""


class DataError(InputError):
    """Data that cannot be trained on."""


class ChainruleWarning(UserWarning):
    """Any warning given by chainrule."""


class PrecisionWarning(ChainruleWarning):
    """float64 data meets float32 parameters, and everything after it is computed in float64."""


class CompileWarning(ChainruleWarning):
    """A compiled function runs slower than it could: without llvmlite, or with many programs."""


class CheckpointWarning(ChainruleWarning):
    """A checkpoint is damaged, and training goes on from the one before."""
