#pragma once

#include <openssl/sha.h>

#include <cstddef>
#include <string>

namespace modelmill {

/// SHA-256 of what it is given, piece by piece. Calls the algorithm itself: OpenSSL's EVP interface would start the
/// whole library with its providers, some 3 MB of memory that a server without TLS has no other use for.
class KeyDigest {
 public:
  KeyDigest();
  void add(const void* data, size_t size);
  /// Two texts one after the other are not one text: the length counts too.
  void add(const std::string& text);
  /// In hexadecimal digits; once.
  std::string hex();

 private:
  SHA256_CTX context_;
};

}  // namespace modelmill
