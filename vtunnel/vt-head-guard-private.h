/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <stdint.h>

#include <glib.h>

/* Finds the end of HTTP request heads in what a peer sends, and bounds them. Pure. */
typedef struct {
  size_t max_head;
  /* Bytes of the current head. */
  size_t size;
  /* The first characters of the current line, for the names of two headers. */
  char         line[20];
  size_t       line_length;
  unsigned int begun : 1;
  unsigned int complete : 1;
  unsigned int has_body : 1;
  unsigned int too_long : 1;
} VtHeadGuard;

void vt_head_guard_init (VtHeadGuard *self, size_t max_head);

/* Returns how many of the bytes may be handed on: up to and including the empty line that ends a
 * head. After that none, until vt_head_guard_next () was called. A request that announces a body
 * can never become an upgrade: everything behind it may be handed on, as long as it is no longer
 * than a head may be. Sets `too_long` where the bound is broken. */
size_t vt_head_guard_inspect (VtHeadGuard *self, const uint8_t *data, size_t length);

/* The request was answered: the next head may come. */
void vt_head_guard_next (VtHeadGuard *self);
