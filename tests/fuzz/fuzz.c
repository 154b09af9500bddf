/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "fuzz.h"

#include <locale.h>
#include <stdlib.h>

/* What a peer does wrong is told in messages and below. */
static GLogWriterOutput
write_log_cb (GLogLevelFlags level, const GLogField *fields, size_t n_fields, void *user_data)
{
  if ((level & (G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG)) != 0)
    return G_LOG_WRITER_HANDLED;
  g_log_writer_standard_streams (level, fields, n_fields, user_data);
  /* GLib's own way to end is a signal that libFuzzer does not see. */
  abort ();
}

/* What nobody may bring about from outside ends the program: a warning, too. */
int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  setlocale (LC_ALL, "C.UTF-8");
  g_log_set_always_fatal (
      (GLogLevelFlags) (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING));
  g_log_set_writer_func (write_log_cb, NULL, NULL);
  return 0;
}

uint8_t
fuzz_take_byte (FuzzInput *self)
{
  if (self->left == 0)
    return 0;
  self->left--;
  return *self->data++;
}

guint32
fuzz_take_16 (FuzzInput *self)
{
  guint32 high = fuzz_take_byte (self);

  return high << 8 | fuzz_take_byte (self);
}

guint32
fuzz_take_32 (FuzzInput *self)
{
  guint32 high = fuzz_take_16 (self);

  return high << 16 | fuzz_take_16 (self);
}

GBytes *
fuzz_take_bytes (FuzzInput *self, size_t length)
{
  GBytes *bytes = g_bytes_new (self->data, MIN (length, self->left));

  self->data += g_bytes_get_size (bytes);
  self->left -= g_bytes_get_size (bytes);
  return bytes;
}

GBytes *
fuzz_take_rest (FuzzInput *self)
{
  return fuzz_take_bytes (self, self->left);
}

void
fuzz_cuts_init (FuzzCuts *self, uint8_t kind)
{
  *self = (FuzzCuts){ .kind = kind, .state = kind };
}

size_t
fuzz_cuts_next (FuzzCuts *self, size_t left)
{
  size_t length;

  if (self->kind < 2)
    return self->kind == 0 ? left : 1;
  self->state = self->state * 1103515245u + 12345u;
  length = (self->state >> 16) % ((self->state & 0x100) != 0 ? 16 : 300) + 1;
  return MIN (length, left);
}
