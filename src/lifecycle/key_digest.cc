#include "lifecycle/key_digest.h"

#include <array>
#include <cstdint>

#include "base/hex_text.h"

namespace modelmill {

// Deprecated in OpenSSL 3 in favour of EVP, and kept in all of its releases.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

KeyDigest::KeyDigest() { SHA256_Init(&context_); }

void KeyDigest::add(const void* data, size_t size) { SHA256_Update(&context_, data, size); }

void KeyDigest::add(const std::string& text) {
  const uint64_t size = text.size();
  add(&size, sizeof size);
  add(text.data(), text.size());
}

std::string KeyDigest::hex() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> bytes;
  SHA256_Final(bytes.data(), &context_);
  return hex_text(bytes);
}

#pragma GCC diagnostic pop

}  // namespace modelmill
