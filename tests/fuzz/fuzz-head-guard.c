/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "fuzz.h"
#include "vt-head-guard-private.h"

/* Request heads on their way to libsoup: how the input is cut makes no difference, and what is
 * handed on is what libsoup may see. The first byte says how the input is cut. */

#define MAX_HEAD 600

typedef struct {
  size_t passed;
  const char *fault; /* static */
  gboolean too_long;
} Outcome;

static const char *
check_name (const char *line)
{
  const char *colon = strchr (line, ':');

  g_assert_true (colon != NULL && colon > line);
  for (const char *p = line; p < colon; p++)
    g_assert_true (g_ascii_isgraph (*p) && strchr ("\"(),/:;<=>?@[\\]{}", *p) == NULL);
  return colon;
}

static void
check_lines (char **lines)
{
  unsigned int n_lengths = 0;

  for (; *lines != NULL; lines++)
    {
      size_t length = check_name (*lines) - *lines;

      g_assert_false (length == 17 && g_ascii_strncasecmp (*lines, "Transfer-Encoding", 17) == 0);
      n_lengths += length == 14 && g_ascii_strncasecmp (*lines, "Content-Length", 14) == 0;
    }
  g_assert_cmpuint (n_lengths, <=, 1);
}

/* A whole one, with the empty line at its end. */
static void
check_head (const uint8_t *head, size_t length)
{
  g_autofree char *text = g_strndup ((const char *) head, length);
  g_auto(GStrv) lines = NULL;
  unsigned int n_lines, first = 0;

  g_assert_cmpuint (length, <=, MAX_HEAD);
  g_assert_cmpuint (strlen (text), ==, length);
  for (char *p = text; *p != '\0'; p++)
    g_assert_true (!g_ascii_iscntrl (*p) || strchr ("\r\n\t", *p) != NULL);
  lines = g_strsplit (text, "\n", -1);
  n_lines = g_strv_length (lines);
  for (unsigned int i = 0; i < n_lines; i++)
    if (g_str_has_suffix (lines[i], "\r"))
      lines[i][strlen (lines[i]) - 1] = '\0';
  while (lines[first][0] == '\0')
    g_assert_cmpuint (++first, <, n_lines);
  g_assert_cmpuint (n_lines - first, >=, 3);
  g_assert_cmpstr (lines[n_lines - 1], ==, "");
  g_assert_cmpstr (lines[n_lines - 2], ==, "");
  g_clear_pointer (&lines[n_lines - 1], g_free);
  g_clear_pointer (&lines[n_lines - 2], g_free);
  g_assert_true (g_ascii_isupper (lines[first][0]));
  check_lines (lines + first + 1);
}

static Outcome
inspect (const uint8_t *data, size_t length, uint8_t kind)
{
  VtHeadGuard guard;
  Outcome outcome = { 0 };
  size_t head_start = 0;
  FuzzCuts cuts;

  vt_head_guard_init (&guard, MAX_HEAD);
  fuzz_cuts_init (&cuts, kind);
  while (outcome.passed < length && guard.fault == NULL && !guard.too_long)
    {
      size_t size = fuzz_cuts_next (&cuts, length - outcome.passed);
      g_autofree uint8_t *piece = g_memdup2 (data + outcome.passed, size);

      outcome.passed += vt_head_guard_inspect (&guard, piece, size);
      g_assert_cmpuint (guard.size, <=, MAX_HEAD + 1);
      if (!guard.complete || guard.has_body)
        continue;
      check_head (data + head_start, outcome.passed - head_start);
      head_start = outcome.passed;
      vt_head_guard_next (&guard);
    }
  outcome.fault = guard.fault;
  outcome.too_long = guard.too_long;
  return outcome;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  FuzzInput input = { data, size };
  uint8_t kind = fuzz_take_byte (&input);
  Outcome whole = inspect (input.data, input.left, 0);
  Outcome cut = inspect (input.data, input.left, kind);

  g_assert_cmpuint (whole.passed, ==, cut.passed);
  g_assert_cmpstr (whole.fault, ==, cut.fault);
  g_assert_cmpint (whole.too_long, ==, cut.too_long);
  g_assert_true (whole.passed == input.left || whole.fault != NULL || whole.too_long);
  return 0;
}
