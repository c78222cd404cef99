/* co_switch_x86_64.S: see co_switch.h. System V calling convention: rbx, rbp, r12 to r15, the control words of SSE and
 * x87 belong to the caller.
 *
 * A suspended stack, from its sp upwards: control words, r15, r14, r13, r12, rbx, rbp, return address. */

    .text

/* void co_context_switch(struct co_context *from, const struct co_context *to) */
    .globl co_context_switch
    .hidden co_context_switch
    .type co_context_switch, @function
    .p2align 4
co_context_switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .cfi_endproc
    .size co_context_switch, . - co_context_switch

/* void co_context_make(struct co_context *context, void *top, void (*entry)(void *), void *self)
 * The new stack looks as if it had been suspended by `start`, with entry in r12 and self in rbx. */
    .globl co_context_make
    .hidden co_context_make
    .type co_context_make, @function
    .p2align 4
co_context_make:
    .cfi_startproc
    endbr64
    andq $-16, %rsi
    leaq -64(%rsi), %rax
    stmxcsr (%rax)
    fnstcw 4(%rax)
    movq %rdx, 32(%rax)
    movq %rcx, 40(%rax)
    movq $0, 48(%rax)
    leaq start(%rip), %rdx
    movq %rdx, 56(%rax)
    movq %rax, (%rdi)
    ret
    .cfi_endproc
    .size co_context_make, . - co_context_make

/* The outermost frame: whoever unwinds the stack ends here. */
    .type start, @function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    movq %rbx, %rdi
    call *%r12
    ud2
    .cfi_endproc
    .size start, . - start

    .section .note.GNU-stack, "", @progbits
