/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-access-token-private.h"

#include <string.h>

#include "vt-random-private.h"
#include "vt-secret-private.h"

#define TOKEN_PREFIX "vt_"
#define HASH_PREFIX "sha256:"
#define SECRET_SIZE 32
/* Characters of base64url, without padding. */
#define TEXT_LENGTH(bytes) (((bytes) *4 + 2) / 3)

/* Exactly so many characters, and exactly as vt_secret_encode () writes them: g_base64_decode ()
 * skips what it does not know, and the last character could be written in several ways. */
static gboolean
decode (const char *text, size_t length, uint8_t *bytes, size_t size)
{
  g_autoptr(GString) padded = NULL;
  g_autofree uint8_t *decoded = NULL;
  g_autofree char *again = NULL;
  size_t decoded_size;

  if (length != TEXT_LENGTH (size))
    return FALSE;
  padded = g_string_new_len (text, (gssize) length);
  g_strdelimit (padded->str, "-", '+');
  g_strdelimit (padded->str, "_", '/');
  while (padded->len % 4 != 0)
    g_string_append_c (padded, '=');
  decoded = g_base64_decode (padded->str, &decoded_size);
  if (decoded_size != size)
    return FALSE;
  again = vt_secret_encode (decoded, size);
  if (strncmp (again, text, length) != 0)
    return FALSE;
  memcpy (bytes, decoded, size);
  return TRUE;
}

gboolean
vt_access_name_is_valid (const char *name)
{
  size_t length = strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-");

  return length >= 1 && length <= VT_ACCESS_NAME_MAX && name[length] == '\0';
}

char *
vt_access_token_new (const char *name)
{
  uint8_t bytes[SECRET_SIZE];
  char *secret;
  char *token;

  vt_random_fill (bytes, sizeof bytes);
  secret = vt_secret_encode (bytes, sizeof bytes);
  token = g_strconcat (TOKEN_PREFIX, name, "_", secret, NULL);
  explicit_bzero (bytes, sizeof bytes);
  vt_secret_free (secret);
  return token;
}

/* The secret may have "_" in it as well, but the name may not. */
char *
vt_access_token_get_name (const char *token)
{
  const char *begin = token + strlen (TOKEN_PREFIX);
  const char *end;
  g_autofree char *name = NULL;

  if (!g_str_has_prefix (token, TOKEN_PREFIX))
    return NULL;
  end = strchr (begin, '_');
  if (end == NULL || end - begin > VT_ACCESS_NAME_MAX
      || strlen (end + 1) != TEXT_LENGTH (SECRET_SIZE)
      || strspn (end + 1, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_")
             != TEXT_LENGTH (SECRET_SIZE))
    return NULL;
  name = g_strndup (begin, (size_t) (end - begin));
  return vt_access_name_is_valid (name) ? g_steal_pointer (&name) : NULL;
}

static void
compute (const uint8_t *salt, const char *token, uint8_t *digest)
{
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, salt, VT_ACCESS_SALT_SIZE);
  size_t size = VT_ACCESS_DIGEST_SIZE;

  g_hmac_update (hmac, (const uint8_t *) token, (gssize) strlen (token));
  g_hmac_get_digest (hmac, digest, &size);
  g_hmac_unref (hmac);
}

void
vt_access_hash_init (VtAccessHash *self, const char *token)
{
  vt_random_fill (self->salt, sizeof self->salt);
  compute (self->salt, token, self->digest);
}

gboolean
vt_access_hash_parse (VtAccessHash *self, const char *text)
{
  const char *salt = text + strlen (HASH_PREFIX);
  const char *colon;

  if (!g_str_has_prefix (text, HASH_PREFIX))
    return FALSE;
  colon = strchr (salt, ':');
  return colon != NULL && decode (salt, (size_t) (colon - salt), self->salt, sizeof self->salt)
         && decode (colon + 1, strlen (colon + 1), self->digest, sizeof self->digest);
}

char *
vt_access_hash_format (const VtAccessHash *self)
{
  g_autofree char *salt = vt_secret_encode (self->salt, sizeof self->salt);
  g_autofree char *digest = vt_secret_encode (self->digest, sizeof self->digest);

  return g_strconcat (HASH_PREFIX, salt, ":", digest, NULL);
}

gboolean
vt_access_hash_matches (const VtAccessHash *self, const char *token)
{
  uint8_t digest[VT_ACCESS_DIGEST_SIZE];
  unsigned int difference = 0;

  compute (self->salt, token, digest);
  for (size_t i = 0; i < sizeof digest; i++)
    difference |= (unsigned int) (digest[i] ^ self->digest[i]);
  return difference == 0;
}

gboolean
vt_access_hash_equal (const VtAccessHash *self, const VtAccessHash *other)
{
  return memcmp (self->salt, other->salt, sizeof self->salt) == 0
         && memcmp (self->digest, other->digest, sizeof self->digest) == 0;
}
