/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

typedef enum {
  VT_HEAD_BEFORE, /* empty lines before a request are no request */
  VT_HEAD_METHOD,
  VT_HEAD_TARGET, /* the rest of the request line */
  VT_HEAD_LINE,   /* the beginning of a header line */
  VT_HEAD_NAME,
  VT_HEAD_VALUE,
  VT_HEAD_LENGTH, /* the value of a Content-Length */
  VT_HEAD_LENGTH_END,
} VtHeadState;

/* Finds the end of HTTP request heads in what a peer sends, bounds them, and refuses those that
 * libsoup must not see. Pure. */
typedef struct {
  size_t max_head;
  /* Bytes of the current head. */
  size_t       size;
  VtHeadState  state;
  /* The method, or the name of the current header in lower case, as far as it fits. */
  char         word[20];
  size_t       word_length;
  unsigned int n_digits;
  unsigned int after_cr : 1;
  unsigned int has_length : 1;
  unsigned int complete : 1;
  unsigned int has_body : 1;
  unsigned int too_long : 1;
  /* Static, in plain words; NULL while there is none. */
  const char  *fault;
} VtHeadGuard;

void vt_head_guard_init (VtHeadGuard *self, size_t max_head);

/* Returns how many of the bytes may be handed on: up to and including the empty line that ends a
 * head. After that none, until vt_head_guard_next () was called. A request that announces a body
 * can never become an upgrade: everything behind it may be handed on, as long as it is no longer
 * than a head may be. Sets `too_long` where the bound is broken, and `fault` where the head is one
 * that must not be parsed; the byte that shows it is not handed on any more, nor is what
 * follows. */
size_t vt_head_guard_inspect (VtHeadGuard *self, const uint8_t *data, size_t length);

/* The request was answered: the next head may come. */
void vt_head_guard_next (VtHeadGuard *self);
