"""Going, in LLVM's language: a native function that Python calls to run a program, and to have the numbers it leaves put away."""
from __future__ import annotations

LEFT = 7
"""The word of a program's state that says where the numbers are listed: rows of four words, the kind (REAL or WHOLE, as in
`looking`), an address, a dict and a key; then END."""

TEXT = """
; walk through a schedule without Python's lock, then put the numbers it left into their dicts; whether all went well
define ptr @chainrule_go(ptr %self, ptr %unused) {{
entry:
  %program.place = getelementptr i8, ptr %self, i64 16
  %program = load ptr, ptr %program.place
  %save = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyEval_SaveThread})
  %thread = call ptr %save()
  %answer = call i64 @chainrule_step(ptr %program)
  %restore = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyEval_RestoreThread})
  call void %restore(ptr %thread)
  %let.go = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {Py_DecRef})
  %left.place = getelementptr i64, ptr %program, i64 {LEFT}
  %left = load ptr, ptr %left.place
  %well = icmp eq i64 %answer, 0
  br i1 %well, label %next, label %end
next:
  %row = phi ptr [ %left, %entry ], [ %row.next, %number ]
  %row.next = getelementptr i64, ptr %row, i64 4
  %address.place = getelementptr i64, ptr %row, i64 1
  %dict.place = getelementptr i64, ptr %row, i64 2
  %key.place = getelementptr i64, ptr %row, i64 3
  %kind = load i64, ptr %row
  switch i64 %kind, label %end [ i64 {REAL}, label %real  i64 {WHOLE}, label %whole ]
real:
  %real.place = load ptr, ptr %address.place
  %real.x = load double, ptr %real.place
  %new.real = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyFloat_FromDouble})
  %made.real = call ptr %new.real(double %real.x)
  br label %made
whole:
  %whole.place = load ptr, ptr %address.place
  %whole.x = load i64, ptr %whole.place
  %new.whole = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyLong_FromLongLong})
  %made.whole = call ptr %new.whole(i64 %whole.x)
  br label %made
made:
  %x = phi ptr [ %made.real, %real ], [ %made.whole, %whole ]
  %no.memory = icmp eq ptr %x, null
  br i1 %no.memory, label %raise, label %put
put:
  %dict = load ptr, ptr %dict.place
  %key = load ptr, ptr %key.place
  %set = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {PyDict_SetItem})
  %status = call i32 %set(ptr %dict, ptr %key, ptr %x)
  call void %let.go(ptr %x)
  %unset = icmp slt i32 %status, 0
  br i1 %unset, label %raise, label %number
number:
  br label %next
raise:
  ret ptr null
end:
  %true = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {True})
  %false = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {False})
  %result = select i1 %well, ptr %true, ptr %false
  %add = load ptr, ptr getelementptr (ptr, ptr @chainrule_python, i64 {Py_IncRef})
  call void %add(ptr %result)
  ret ptr %result
}}
"""
