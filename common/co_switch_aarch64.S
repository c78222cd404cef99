/* co_switch_aarch64.S: see co_switch.h. AAPCS64: x19 to x30, the lower halves of v8 to v15 and the modes in fpcr belong
 * to the caller.
 *
 * A suspended stack, from its sp upwards: x19 to x30 in pairs, d8 to d15 in pairs, fpcr. */

#define FRAME 176

    .text

/* void co_context_switch(struct co_context *from, const struct co_context *to) */
    .globl co_context_switch
    .hidden co_context_switch
    .type co_context_switch, %function
    .p2align 4
co_context_switch:
    .cfi_startproc
    hint #34 /* bti c */
    sub sp, sp, #FRAME
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x10, sp
    str x10, [x0]
    ldr x10, [x1]
    mov sp, x10
    ldr x9, [sp, #160]
    msr fpcr, x9
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #FRAME
    ret
    .cfi_endproc
    .size co_context_switch, . - co_context_switch

/* void co_context_make(struct co_context *context, void *top, void (*entry)(void *), void *self)
 * The new stack looks as if it had been suspended by `start`, with entry in x19 and self in x20. */
    .globl co_context_make
    .hidden co_context_make
    .type co_context_make, %function
    .p2align 4
co_context_make:
    .cfi_startproc
    hint #34
    and x1, x1, #-16
    sub x1, x1, #FRAME
    stp x2, x3, [x1, #0]
    adr x9, start
    stp xzr, x9, [x1, #80]
    mrs x9, fpcr
    str x9, [x1, #160]
    str x1, [x0]
    ret
    .cfi_endproc
    .size co_context_make, . - co_context_make

/* The outermost frame: whoever unwinds the stack ends here. Entered by `ret`. */
    .type start, %function
    .p2align 4
start:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #0
    .cfi_endproc
    .size start, . - start

    .section .note.GNU-stack, "", %progbits
