"""Looking, in LLVM's language: a native function that Python calls, and that sees whether a call is like the one before.

It reads Python's and NumPy's objects where they lie (`interface` verifies that they do), and holds Python's lock all the while.
"""
from __future__ import annotations

END, LEAF, FIELD, OBJECT, WORD, ITEM, ENTRY, ATTRIBUTE = range(8)
"""Where the first three words of a row find something (an object, or a number):

    LEAF, number            an argument             OBJECT, address         the object itself
    FIELD, number, bytes    in an argument          WORD, address           what stands there
    ITEM, dict, key         an entry of a dict      ENTRY, list, index      of a list
    ATTRIBUTE, object, name an attribute
"""
SAME, ARRAY, REAL, WHOLE, EMPTY = range(5)
"""What the last three words of a row do with it; where it is something else, the look has failed:

    SAME, address           it is this
    ARRAY, record, address  it is an array such as the record says; its memory's address is written down
    REAL, address           it is a float, and is written down          WHOLE, address          the same for an int
    EMPTY, bytes            it is None, or what is so far in it is None

The record of an array begins at that word of the look, and holds: the references it must have (0: any), the flags it must have,
its dtype, its number of axes, its shape.
"""
ROW = 6
HEADER = 2
"""A look begins with the number of arrays it finds, and of arguments it takes."""

CALLED = ("PyTuple_New", "PyTuple_SetItem", "PyDict_GetItemWithError", "PyObject_GetAttr", "PyErr_Clear", "Py_IncRef",
          "Py_DecRef", "PyLong_AsLongLongAndOverflow", "PyEval_SaveThread", "PyEval_RestoreThread", "PyFloat_FromDouble",
          "PyLong_FromLongLong", "PyDict_SetItem")
"""The functions of Python's own interface that are called; their addresses, and those of some objects, are filled in."""
OBJECTS = (None, True, False, float, int)


def names() -> dict[str, int]:
    """What the text's names in braces stand for."""
    known = [*CALLED, *(getattr(x, "__name__", str(x)) for x in OBJECTS)]
    words = {name: globals()[name] for name in ("HEADER", "ROW", "LEAF", "FIELD", "OBJECT", "WORD", "ITEM", "ENTRY", "ATTRIBUTE",
                                                "SAME", "ARRAY", "REAL", "WHOLE", "EMPTY")}
    return words | {name: number for number, name in enumerate(known)} | {"known": len(known), "ITEMS": tuple.__basicsize__}


TEXT = """
@chainrule_python = global [{known} x ptr] zeroinitializer

; a tuple of the arrays of this call, for as long as it lasts; None where something is not as it was
define ptr @chainrule_look(ptr %self, ptr %leaves) {{
entry:
  %overflow = alloca i32
  %words.place = getelementptr i8, ptr %self, i64 16
  %words = load ptr, ptr %words.place
  %arrays = load i64, ptr %words
  %takes.place = getelementptr i64, ptr %words, i64 1
  %takes = load i64, ptr %takes.place
  %given.place = getelementptr i8, ptr %leaves, i64 16
  %given = load i64, ptr %given.place
  %first = getelementptr i8, ptr %leaves, i64 {ITEMS}
  %begin = getelementptr i64, ptr %words, i64 {HEADER}
  %all.given = icmp eq i64 %takes, %given
  br i1 %all.given, label %start, label %refuse
start:
  %tuple.new = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyTuple_New})
  %found = call ptr %tuple.new(i64 %arrays)
  %no.memory = icmp eq ptr %found, null
  br i1 %no.memory, label %raise, label %next
raise:
  ret ptr null
next:
  %row = phi ptr [ %begin, %start ], [ %row.next, %passed ]
  %count = phi i64 [ 0, %start ], [ %count.next, %passed ]
  %row.next = getelementptr i64, ptr %row, i64 {ROW}
  %a.place = getelementptr i64, ptr %row, i64 1
  %b.place = getelementptr i64, ptr %row, i64 2
  %check.place = getelementptr i64, ptr %row, i64 3
  %c.place = getelementptr i64, ptr %row, i64 4
  %d.place = getelementptr i64, ptr %row, i64 5
  %source = load i64, ptr %row
  %a = load i64, ptr %a.place
  %b = load i64, ptr %b.place
  %check = load i64, ptr %check.place
  %c = load i64, ptr %c.place
  %d = load i64, ptr %d.place
  %a.pointer = inttoptr i64 %a to ptr
  %b.pointer = inttoptr i64 %b to ptr
  %c.pointer = inttoptr i64 %c to ptr
  %d.pointer = inttoptr i64 %d to ptr
  switch i64 %source, label %done [ i64 {LEAF}, label %leaf  i64 {FIELD}, label %leaf  i64 {OBJECT}, label %have
    i64 {WORD}, label %word  i64 {ITEM}, label %item  i64 {ENTRY}, label %entry.of  i64 {ATTRIBUTE}, label %attribute ]

leaf:
  %leaf.place = getelementptr ptr, ptr %first, i64 %a
  %leaf.x = load ptr, ptr %leaf.place
  %is.leaf = icmp eq i64 %source, {LEAF}
  br i1 %is.leaf, label %have, label %field
field:
  %field.place = getelementptr i8, ptr %leaf.x, i64 %b
  %field.x = load ptr, ptr %field.place
  br label %have
word:
  %word.x = load ptr, ptr %a.pointer
  br label %have
item:
  %get.item = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyDict_GetItemWithError})
  %item.x = call ptr %get.item(ptr %a.pointer, ptr %b.pointer)
  %no.item = icmp eq ptr %item.x, null
  br i1 %no.item, label %missing, label %have
entry.of:
  %entries.place = getelementptr i8, ptr %a.pointer, i64 24
  %entries = load ptr, ptr %entries.place
  %entry.place = getelementptr ptr, ptr %entries, i64 %b
  %entry.x = load ptr, ptr %entry.place
  br label %have
attribute:
  %get.attribute = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyObject_GetAttr})
  %attribute.x = call ptr %get.attribute(ptr %a.pointer, ptr %b.pointer)
  %no.attribute = icmp eq ptr %attribute.x, null
  br i1 %no.attribute, label %missing, label %attribute.known
attribute.known: ; it is only compared with an object that lives on
  %let.go = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {Py_DecRef})
  call void %let.go(ptr %attribute.x)
  br label %have

have:
  %x = phi ptr [ %leaf.x, %leaf ], [ %field.x, %field ], [ %a.pointer, %next ], [ %word.x, %word ], [ %item.x, %item ],
               [ %entry.x, %entry.of ], [ %attribute.x, %attribute.known ]
  %compare = icmp eq i64 %check, {SAME}
  br i1 %compare, label %same, label %object
object:
  %is.unset = icmp eq ptr %x, null
  br i1 %is.unset, label %failed, label %look
look:
  switch i64 %check, label %failed [ i64 {ARRAY}, label %array  i64 {REAL}, label %real  i64 {WHOLE}, label %whole
                                     i64 {EMPTY}, label %empty ]
same:
  %is.same = icmp eq ptr %x, %c.pointer
  br i1 %is.same, label %passed, label %failed

empty:
  %none = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {None})
  %is.none = icmp eq ptr %x, %none
  br i1 %is.none, label %passed, label %inside
inside:
  %inside.place = getelementptr i8, ptr %x, i64 %c
  %inside.x = load ptr, ptr %inside.place
  %inside.none = icmp eq ptr %inside.x, %none
  br i1 %inside.none, label %passed, label %failed

real:
  %type.of.real = getelementptr i8, ptr %x, i64 8
  %real.type = load ptr, ptr %type.of.real
  %float = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {float})
  %is.float = icmp eq ptr %real.type, %float
  br i1 %is.float, label %take.real, label %failed
take.real:
  %real.place = getelementptr i8, ptr %x, i64 16
  %real.bits = load i64, ptr %real.place
  store i64 %real.bits, ptr %c.pointer
  br label %passed
whole:
  %type.of.whole = getelementptr i8, ptr %x, i64 8
  %whole.type = load ptr, ptr %type.of.whole
  %int = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {int})
  %is.int = icmp eq ptr %whole.type, %int
  br i1 %is.int, label %take.whole, label %failed
take.whole:
  %get.whole = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyLong_AsLongLongAndOverflow})
  %whole.value = call i64 %get.whole(ptr %x, ptr %overflow)
  %over = load i32, ptr %overflow
  store i64 %whole.value, ptr %c.pointer
  %is.within = icmp eq i32 %over, 0
  br i1 %is.within, label %passed, label %failed

array:
  %record = getelementptr i64, ptr %words, i64 %c
  %type.record = load ptr, ptr %record
  %type.of.array = getelementptr i8, ptr %x, i64 8
  %array.type = load ptr, ptr %type.of.array
  %is.array = icmp eq ptr %array.type, %type.record
  br i1 %is.array, label %array.held, label %failed
array.held:
  %held.record.place = getelementptr i64, ptr %record, i64 1
  %held.record = load i32, ptr %held.record.place
  %held = load i32, ptr %x
  %any.held = icmp eq i32 %held.record, 0
  %exactly.held = icmp eq i32 %held.record, %held
  %well.held = or i1 %any.held, %exactly.held
  %flags.record.place = getelementptr i64, ptr %record, i64 2
  %flags.record = load i32, ptr %flags.record.place
  %flags.place = getelementptr i8, ptr %x, i64 64
  %flags = load i32, ptr %flags.place
  %flags.common = and i32 %flags, %flags.record
  %well.laid = icmp eq i32 %flags.common, %flags.record
  %dtype.record.place = getelementptr i64, ptr %record, i64 3
  %dtype.record = load ptr, ptr %dtype.record.place
  %dtype.place = getelementptr i8, ptr %x, i64 56
  %dtype = load ptr, ptr %dtype.place
  %well.typed = icmp eq ptr %dtype, %dtype.record
  %axes.record.place = getelementptr i64, ptr %record, i64 4
  %axes.record = load i32, ptr %axes.record.place
  %axes.place = getelementptr i8, ptr %x, i64 24
  %axes = load i32, ptr %axes.place
  %well.formed = icmp eq i32 %axes, %axes.record
  %good.first = and i1 %well.held, %well.laid
  %good.second = and i1 %well.typed, %well.formed
  %good = and i1 %good.first, %good.second
  %shape.record = getelementptr i64, ptr %record, i64 5
  %shape.place = getelementptr i8, ptr %x, i64 32
  %shape = load ptr, ptr %shape.place
  br i1 %good, label %axis, label %failed
axis:
  %number = phi i32 [ 0, %array.held ], [ %number.next, %extent ]
  %is.last = icmp eq i32 %number, %axes
  br i1 %is.last, label %take.array, label %extent
extent:
  %extent.record.place = getelementptr i64, ptr %shape.record, i32 %number
  %extent.record = load i64, ptr %extent.record.place
  %extent.place = getelementptr i64, ptr %shape, i32 %number
  %extent.x = load i64, ptr %extent.place
  %number.next = add i32 %number, 1
  %is.extent = icmp eq i64 %extent.x, %extent.record
  br i1 %is.extent, label %axis, label %failed
take.array:
  %data.place = getelementptr i8, ptr %x, i64 16
  %data = load i64, ptr %data.place
  store i64 %data, ptr %d.pointer
  %hold = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {Py_IncRef})
  call void %hold(ptr %x)
  %put = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyTuple_SetItem})
  %putting = call i32 %put(ptr %found, i64 %count, ptr %x)
  %count.more = add i64 %count, 1
  br label %passed

passed:
  %count.next = phi i64 [ %count, %same ], [ %count, %empty ], [ %count, %inside ], [ %count, %take.real ],
                        [ %count, %take.whole ], [ %count.more, %take.array ]
  br label %next
done:
  ret ptr %found
missing:
  %clear = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyErr_Clear})
  call void %clear()
  br label %failed
failed:
  %drop = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {Py_DecRef})
  call void %drop(ptr %found)
  br label %refuse
refuse:
  %nothing = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {None})
  %add = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {Py_IncRef})
  call void %add(ptr %nothing)
  ret ptr %nothing
}}
"""
