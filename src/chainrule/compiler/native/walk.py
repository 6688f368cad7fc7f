"""Walking through a schedule, in LLVM's language: a loop that reads words, and does what they say (see `runtime`)."""
from __future__ import annotations

TEXT = """
; walk through a schedule; the result is 0, or what a call into Python gave if that was not 0
define i64 @chainrule_step(ptr %program) {{
entry:
  %code = load ptr, ptr %program
  %table.place = getelementptr ptr, ptr %program, i64 1
  %table = load ptr, ptr %table.place
  %variables.place = getelementptr ptr, ptr %program, i64 2
  %variables = load ptr, ptr %variables.place
  %arguments.place = getelementptr ptr, ptr %program, i64 3
  %arguments = load ptr, ptr %arguments.place
  %arena.place = getelementptr ptr, ptr %program, i64 4
  %arena = load ptr, ptr %arena.place
  %pool.place = getelementptr ptr, ptr %program, i64 5
  %pool = load ptr, ptr %pool.place
  %callback.place = getelementptr ptr, ptr %program, i64 6
  %callback = load ptr, ptr %callback.place
  %no.pool = icmp eq ptr %pool, null
  br i1 %no.pool, label %start, label %ask
ask:
  %busy = getelementptr i8, ptr %pool, i64 {BUSY}
  %asked = cmpxchg ptr %busy, i32 0, i32 1 acq_rel acquire
  %got = extractvalue {{ i32, i1 }} %asked, 1
  br label %start
start:
  %many = phi i1 [ false, %entry ], [ %got, %ask ]
  br label %next
next:
  %at = phi i64 [ 0, %start ], [ %at.phase, %phase ], [ %at.repeat, %repeat ], [ %at.again, %again ], [ %at.call, %called ],
                [ %at.when, %when ]
  %word = getelementptr i64, ptr %code, i64 %at
  %kind = load i64, ptr %word
  %first.place = getelementptr i64, ptr %word, i64 1
  %second.place = getelementptr i64, ptr %word, i64 2
  switch i64 %kind, label %finish [ i64 1, label %launch  i64 2, label %repeat  i64 3, label %again  i64 4, label %call
                                    i64 5, label %when ]

launch:
  %arrays = load i64, ptr %first.place
  %phases = load i64, ptr %second.place
  %shared.word = getelementptr i64, ptr %word, i64 3
  %shared.offset = load i64, ptr %shared.word
  %shared = getelementptr i8, ptr %arena, i64 %shared.offset
  %threads.word = getelementptr i64, ptr %word, i64 4
  %threads.count = load i64, ptr %threads.word
  %private.words = getelementptr i64, ptr %word, i64 5
  %private.offset = load i64, ptr %private.words
  %private = getelementptr i8, ptr %arena, i64 %private.offset
  %at.private = add i64 %at, 5
  %at.arrays = add i64 %at.private, %threads.count
  br label %array
array:
  %number = phi i64 [ 0, %launch ], [ %number.next, %placed ]
  %at.array = phi i64 [ %at.arrays, %launch ], [ %at.step, %placed ]
  %more.arrays = icmp ult i64 %number, %arrays
  br i1 %more.arrays, label %place, label %phase
place:
  %record = getelementptr i64, ptr %code, i64 %at.array
  %buffer = load i64, ptr %record
  %offset.place = getelementptr i64, ptr %record, i64 1
  %offset.first = load i64, ptr %offset.place
  %steps.place = getelementptr i64, ptr %record, i64 2
  %steps = load i64, ptr %steps.place
  %base.place = getelementptr ptr, ptr %table, i64 %buffer
  %base = load ptr, ptr %base.place
  %at.steps = add i64 %at.array, 3
  br label %step
step:
  %offset = phi i64 [ %offset.first, %place ], [ %offset.next, %stepping ]
  %step.number = phi i64 [ 0, %place ], [ %step.next, %stepping ]
  %at.step = phi i64 [ %at.steps, %place ], [ %at.step.next, %stepping ]
  %more.steps = icmp ult i64 %step.number, %steps
  br i1 %more.steps, label %stepping, label %placed
stepping:
  %variable.place = getelementptr i64, ptr %code, i64 %at.step
  %variable = load i64, ptr %variable.place
  %stride.place = getelementptr i64, ptr %variable.place, i64 1
  %stride = load i64, ptr %stride.place
  %value.place = getelementptr i64, ptr %variables, i64 %variable
  %value = load i64, ptr %value.place
  %moved = mul i64 %value, %stride
  %offset.next = add i64 %offset, %moved
  %step.next = add i64 %step.number, 1
  %at.step.next = add i64 %at.step, 2
  br label %step
placed:
  %pointer = getelementptr i8, ptr %base, i64 %offset
  %argument = getelementptr ptr, ptr %arguments, i64 %number
  store ptr %pointer, ptr %argument
  %number.next = add i64 %number, 1
  br label %array

phase:
  %phase.number = phi i64 [ 0, %array ], [ %phase.next, %ran ]
  %at.phase = phi i64 [ %at.array, %array ], [ %at.phase.next, %ran ]
  %more.phases = icmp ult i64 %phase.number, %phases
  br i1 %more.phases, label %run, label %next
run:
  %function.place = getelementptr i64, ptr %code, i64 %at.phase
  %function = load ptr, ptr %function.place
  %rounds.place = getelementptr i64, ptr %function.place, i64 1
  %rounds = load i64, ptr %rounds.place
  %large.place = getelementptr i64, ptr %function.place, i64 2
  %large = load i64, ptr %large.place
  %worth = icmp ne i64 %large, 0
  %share = and i1 %worth, %many
  br i1 %share, label %threads, label %alone
threads:
  %shared.place = getelementptr i8, ptr %pool, i64 {SHARED}
  store ptr %shared, ptr %shared.place
  %private.place = getelementptr i8, ptr %pool, i64 {PRIVATE}
  store ptr %private.words, ptr %private.place
  %pool.arena = getelementptr i8, ptr %pool, i64 {ARENA}
  store ptr %arena, ptr %pool.arena
  call void @together(ptr %pool, ptr %function, ptr %arguments, i64 %rounds, i64 %large)
  br label %ran
alone:
  call void %function(ptr %arguments, i64 0, i64 %rounds, ptr %shared, ptr %private)
  br label %ran
ran:
  %phase.next = add i64 %phase.number, 1
  %at.phase.next = add i64 %at.phase, 3
  br label %phase

repeat:
  %slot = load i64, ptr %first.place
  %slot.place = getelementptr i64, ptr %variables, i64 %slot
  store i64 0, ptr %slot.place
  %at.repeat = add i64 %at, 2
  br label %next

again:
  %round.slot = load i64, ptr %first.place
  %count = load i64, ptr %second.place
  %begin.place = getelementptr i64, ptr %word, i64 3
  %begin = load i64, ptr %begin.place
  %round.place = getelementptr i64, ptr %variables, i64 %round.slot
  %round = load i64, ptr %round.place
  %round.next = add i64 %round, 1
  store i64 %round.next, ptr %round.place
  %not.last = icmp ult i64 %round.next, %count
  %at.after = add i64 %at, 4
  %at.again = select i1 %not.last, i64 %begin, i64 %at.after
  br label %next

call:
  %which = load i64, ptr %first.place
  %answer = call i64 %callback(i64 %which)
  %failed = icmp ne i64 %answer, 0
  %at.call = add i64 %at, 2
  br i1 %failed, label %finish, label %called
called:
  br label %next

when:
  %flag.buffer = load i64, ptr %first.place
  %flag.offset = load i64, ptr %second.place
  %flag.base.place = getelementptr ptr, ptr %table, i64 %flag.buffer
  %flag.base = load ptr, ptr %flag.base.place
  %flag.place = getelementptr i8, ptr %flag.base, i64 %flag.offset
  %flag = load i8, ptr %flag.place
  store i8 0, ptr %flag.place
  %raised = icmp ne i8 %flag, 0
  %away.place = getelementptr i64, ptr %word, i64 3
  %away = load i64, ptr %away.place
  %at.inside = add i64 %at, 4
  %at.when = select i1 %raised, i64 %at.inside, i64 %away
  br label %next

finish:
  %result = phi i64 [ 0, %next ], [ %answer, %call ]
  br i1 %many, label %release, label %leave
release:
  %busy.place = getelementptr i8, ptr %pool, i64 {BUSY}
  store atomic i32 0, ptr %busy.place release, align 4
  br label %leave
leave:
  ret i64 %result
}}
"""
