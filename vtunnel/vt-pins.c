/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-pins-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include "vt-error.h"

#include "vt-text-private.h"

#define PREFIX "sha256:"
#define DIGEST_CHARACTERS 64

/* 64 digits in lower case, NULL for anything else. */
static char *
normalise (const char *pin)
{
  g_autoptr(GString) digits = g_string_new (NULL);

  if (!g_str_has_prefix (pin, PREFIX))
    return NULL;
  for (const char *at = pin + strlen (PREFIX); *at != '\0'; at++)
    {
      /* Between bytes, as openssl writes them. */
      if (*at == ':' && digits->len > 0 && digits->len % 2 == 0 && at[1] != '\0' && at[1] != ':')
        continue;
      if (!g_ascii_isxdigit (*at))
        return NULL;
      g_string_append_c (digits, g_ascii_tolower (*at));
    }
  if (digits->len != DIGEST_CHARACTERS)
    return NULL;
  return g_string_free (g_steal_pointer (&digits), FALSE);
}

gboolean
vt_pins_check (const char *const *pins, GError **error)
{
  for (size_t i = 0; pins != NULL && pins[i] != NULL; i++)
    {
      g_autofree char *digits = normalise (pins[i]);
      g_autofree char *escaped = NULL;

      if (digits != NULL)
        continue;
      escaped = vt_text_escape (pins[i], -1);
      g_set_error (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                   _ ("“%s” is no pin: “sha256:” and 64 hexadecimal digits are needed"), escaped);
      return FALSE;
    }
  return TRUE;
}

char *
vt_pins_format (GTlsCertificate *certificate)
{
  g_autoptr(GByteArray) der = NULL;
  g_autofree char *digest = NULL;

  g_object_get (certificate, "certificate", &der, NULL);
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, der->data, der->len);
  return g_strconcat (PREFIX, digest, NULL);
}

gboolean
vt_pins_match (const char *const *pins, GTlsCertificate *certificate)
{
  g_autofree char *shown = vt_pins_format (certificate);

  for (size_t i = 0; pins[i] != NULL; i++)
    {
      g_autofree char *digits = normalise (pins[i]);

      if (digits != NULL && g_str_equal (digits, shown + strlen (PREFIX)))
        return TRUE;
    }
  return FALSE;
}
