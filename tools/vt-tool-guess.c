/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-tool-guess.h"

#include <string.h>

/* Nobody mistypes a longer one into one of ours; and it costs the product of both lengths. */
#define LONGEST 40

/* How many letters stand between two words (Levenshtein), byte by byte: the words are ASCII. */
static size_t
measure_distance (const char *one, const char *other)
{
  size_t length = strlen (other);
  g_autofree size_t *row = g_new (size_t, length + 1);

  for (size_t j = 0; j <= length; j++)
    row[j] = j;
  for (size_t i = 1; i <= strlen (one); i++)
    {
      size_t diagonal = row[0];

      row[0] = i;
      for (size_t j = 1; j <= length; j++)
        {
          size_t replaced = diagonal + (one[i - 1] != other[j - 1]);

          diagonal = row[j];
          row[j] = MIN (replaced, MIN (row[j], row[j - 1]) + 1);
        }
    }
  return row[length];
}

void
vt_tool_guess_look (VtToolGuess *self, const char *typed, const char *word)
{
  size_t distance;

  if (typed[0] == '\0' || strlen (typed) > LONGEST)
    return;
  distance = g_str_has_prefix (word, typed) ? 0 : measure_distance (typed, word);
  if (distance >= self->least)
    return;
  self->least = distance;
  self->best = word;
}
