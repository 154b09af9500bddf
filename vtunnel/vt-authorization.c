/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-authorization-private.h"

#include <string.h>

#include "vt-access-token-private.h"

/* A name, a token and the colon between them are shorter by far. */
#define MAX_VALUE 1024

static const char *
skip_scheme (const char *value, const char *scheme)
{
  size_t length = strlen (scheme);

  if (g_ascii_strncasecmp (value, scheme, length) != 0 || value[length] != ' ')
    return NULL;
  value += length;
  return value + strspn (value, " ");
}

/* g_base64_decode () skips what it does not know. */
static gboolean
is_base64 (const char *text)
{
  size_t length = strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "+/");
  size_t padding = strspn (text + length, "=");

  return text[length + padding] == '\0' && padding <= 2 && (length + padding) % 4 == 0;
}

static gboolean
parse_basic (const char *text, char **name, char **token)
{
  g_autofree char *decoded = NULL;
  size_t size;
  char *colon;

  if (!is_base64 (text) || *text == '\0')
    return FALSE;
  decoded = g_realloc (g_base64_decode (text, &size), strlen (text) + 1);
  decoded[size] = '\0';
  colon = strlen (decoded) == size ? strchr (decoded, ':') : NULL;
  if (colon != NULL)
    {
      *name = g_strndup (decoded, (size_t) (colon - decoded));
      *token = g_strdup (colon + 1);
    }
  explicit_bzero (decoded, size);
  return colon != NULL;
}

gboolean
vt_authorization_parse (const char *value, char **name, char **token)
{
  const char *rest;

  *name = NULL;
  *token = NULL;
  if (strlen (value) > MAX_VALUE)
    return FALSE;
  rest = skip_scheme (value, "Basic");
  if (rest != NULL)
    return parse_basic (rest, name, token);
  rest = skip_scheme (value, "Bearer");
  if (rest == NULL || *rest == '\0')
    return FALSE;
  *token = g_strdup (rest);
  return TRUE;
}
