"""Handing rounds over to threads, in LLVM's language: tickets, a worker's life, and joining.

Names in braces are filled in by `runtime`. What one thread writes for another goes through atomic loads and stores.
"""
from __future__ import annotations

TEXT = """
{pause_declared}
{system}

; do pieces of the job as thread number %who: the thread's own first, then those that others have not begun. A ticket holds the
; epoch, how many pieces there are, and the next one; whoever raises it has that piece, and the job stays until it is done.
define internal void @serve(ptr %pool, i64 %who) {{
entry:
  %threads.place = getelementptr i8, ptr %pool, i64 {THREADS}
  %threads = load i64, ptr %threads.place
  %done = getelementptr i8, ptr %pool, i64 {DONE}
  br label %victim
victim:
  %passed = phi i64 [ 0, %entry ], [ %passed.next, %exhausted ]
  %sum = add i64 %who, %passed
  %owner = urem i64 %sum, %threads
  %distance = mul i64 %owner, 64
  %tickets = getelementptr i8, ptr %pool, i64 {TICKETS}
  %ticket = getelementptr i8, ptr %tickets, i64 %distance
  br label %look
look:
  %seen = load atomic i64, ptr %ticket acquire, align 8
  %next = and i64 %seen, 65535
  %shifted = lshr i64 %seen, 16
  %pieces = and i64 %shifted, 65535
  %left = icmp ult i64 %next, %pieces
  br i1 %left, label %ask, label %exhausted
ask:
  %raised = add i64 %seen, 1
  %answer = cmpxchg ptr %ticket, i64 %seen, i64 %raised acq_rel acquire
  %mine = extractvalue {{ i64, i1 }} %answer, 1
  br i1 %mine, label %take, label %look
take:
  %rounds.place = getelementptr i8, ptr %pool, i64 {ROUNDS}
  %rounds = load i64, ptr %rounds.place
  %before = mul i64 %owner, %pieces
  %piece = add i64 %before, %next
  %total = mul i64 %pieces, %threads
  %scaled = mul i64 %piece, %rounds
  %begin = udiv i64 %scaled, %total
  %scaled.next = add i64 %scaled, %rounds
  %end = udiv i64 %scaled.next, %total
  %some = icmp ult i64 %begin, %end
  br i1 %some, label %work, label %worked
work:
  %function.place = getelementptr i8, ptr %pool, i64 {FUNCTION}
  %function = load ptr, ptr %function.place
  %arguments.place = getelementptr i8, ptr %pool, i64 {ARGUMENTS}
  %arguments = load ptr, ptr %arguments.place
  %shared.place = getelementptr i8, ptr %pool, i64 {SHARED}
  %shared = load ptr, ptr %shared.place
  %private.place = getelementptr i8, ptr %pool, i64 {PRIVATE}
  %private.words = load ptr, ptr %private.place
  %arena.place = getelementptr i8, ptr %pool, i64 {ARENA}
  %arena = load ptr, ptr %arena.place
  %private.word = getelementptr i64, ptr %private.words, i64 %who
  %offset = load i64, ptr %private.word
  %private = getelementptr i8, ptr %arena, i64 %offset
  call void %function(ptr %arguments, i64 %begin, i64 %end, ptr %shared, ptr %private)
  br label %worked
worked:
  %counted = atomicrmw add ptr %done, i32 1 release
  br label %look
exhausted:
  %passed.next = add i64 %passed, 1
  %others = icmp ult i64 %passed.next, %threads
  br i1 %others, label %victim, label %leave
leave:
  ret void
}}

; a thread's life: look for a new epoch a while, then sleep until woken; do a part; say so
define void @chainrule_worker(ptr %pool, i64 %who) {{
entry:
  %stop = getelementptr i8, ptr %pool, i64 {STOP}
  %sleepers = getelementptr i8, ptr %pool, i64 {SLEEPERS}
  br label %again
again:
  %seen = phi i32 [ 0, %entry ], [ %now, %work ]
  br label %look
look:
  %count = phi i32 [ 0, %again ], [ %count.next, %pausing ], [ 0, %sleep ]
  %now = load atomic i32, ptr %pool acquire, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %idle, label %woken
idle:
  %tired = icmp ugt i32 %count, {SPINS}
  br i1 %tired, label %sleep, label %pausing
pausing:
  {pause}
  %count.next = add i32 %count, 1
  br label %look
sleep:
  %more = atomicrmw add ptr %sleepers, i32 1 seq_cst
  %slept = call i64 (i64, ...) @syscall(i64 {futex}, ptr %pool, i32 128, i32 %seen, ptr null)
  %less = atomicrmw sub ptr %sleepers, i32 1 seq_cst
  br label %look
woken:
  %stopping = load atomic i32, ptr %stop acquire, align 4
  %halt = icmp ne i32 %stopping, 0
  br i1 %halt, label %leave, label %work
work:
  call void @serve(ptr %pool, i64 %who)
  br label %again
leave:
  ret void
}}

; begin a new epoch, and wake who sleeps
define void @chainrule_wake(ptr %pool) {{
entry:
  %sleepers = getelementptr i8, ptr %pool, i64 {SLEEPERS}
  %before = atomicrmw add ptr %pool, i32 1 seq_cst
  %asleep = load atomic i32, ptr %sleepers seq_cst, align 4
  %any = icmp ne i32 %asleep, 0
  br i1 %any, label %wake, label %leave
wake:
  %woken = call i64 (i64, ...) @syscall(i64 {futex}, ptr %pool, i32 129, i32 1024)
  br label %leave
leave:
  ret void
}}

define internal void @together(ptr %pool, ptr %function, ptr %arguments, i64 %rounds, i64 %pieces) {{
entry:
  %function.place = getelementptr i8, ptr %pool, i64 {FUNCTION}
  store ptr %function, ptr %function.place
  %arguments.place = getelementptr i8, ptr %pool, i64 {ARGUMENTS}
  store ptr %arguments, ptr %arguments.place
  %rounds.place = getelementptr i8, ptr %pool, i64 {ROUNDS}
  store i64 %rounds, ptr %rounds.place
  %threads.place = getelementptr i8, ptr %pool, i64 {THREADS}
  %threads = load i64, ptr %threads.place
  %total = mul i64 %pieces, %threads
  %done = getelementptr i8, ptr %pool, i64 {DONE}
  store atomic i32 0, ptr %done release, align 4
  %epoch.short = load i32, ptr %pool
  %epoch.long = zext i32 %epoch.short to i64
  %epoch = shl i64 %epoch.long, 32
  %count = shl i64 %pieces, 16
  %fresh = or i64 %epoch, %count
  %tickets = getelementptr i8, ptr %pool, i64 {TICKETS}
  br label %hand
hand:
  %owner = phi i64 [ 0, %entry ], [ %owner.next, %hand ]
  %distance = mul i64 %owner, 64
  %ticket = getelementptr i8, ptr %tickets, i64 %distance
  store atomic i64 %fresh, ptr %ticket release, align 8
  %owner.next = add i64 %owner, 1
  %more = icmp ult i64 %owner.next, %threads
  br i1 %more, label %hand, label %begin
begin:
  call void @chainrule_wake(ptr %pool)
  call void @serve(ptr %pool, i64 0)
  br label %join
join:
  %looks = phi i32 [ 0, %begin ], [ %looks.next, %wait ], [ 0, %offer ]
  %finished = load atomic i32, ptr %done acquire, align 4
  %finished.long = zext i32 %finished to i64
  %all = icmp eq i64 %finished.long, %total
  br i1 %all, label %leave, label %looking
looking:
  %impatient = icmp ugt i32 %looks, {PATIENCE}
  br i1 %impatient, label %offer, label %wait
wait:
  {pause}
  %looks.next = add i32 %looks, 1
  br label %join
offer:
  %offered = call i32 @sched_yield()
  br label %join
leave:
  ret void
}}
"""
