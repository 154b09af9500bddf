/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* What the fuzz targets have in common. Each target is a program of its own: with libFuzzer, which
 * makes up the input, or with replay.c, which takes it from files. It aborts where something is not
 * as it must be. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
int LLVMFuzzerInitialize (int *argc, char ***argv);

/* The input, read from its beginning on. What is not there is 0, or empty. */
typedef struct {
  const uint8_t *data; /* not owned */
  size_t         left;
} FuzzInput;

uint8_t  fuzz_take_byte (FuzzInput *self);
guint32  fuzz_take_16 (FuzzInput *self);
guint32  fuzz_take_32 (FuzzInput *self);
/* At most so many bytes, in memory of their own: reading beyond them shows. */
GBytes  *fuzz_take_bytes (FuzzInput *self, size_t length);
GBytes  *fuzz_take_rest (FuzzInput *self);

/* How input is cut into pieces: 0 not at all, 1 into single bytes, else at random. */
typedef struct {
  uint8_t kind;
  guint32 state;
} FuzzCuts;

void   fuzz_cuts_init (FuzzCuts *self, uint8_t kind);
/* Bytes of the next piece, at least one of at least one. */
size_t fuzz_cuts_next (FuzzCuts *self, size_t left);
