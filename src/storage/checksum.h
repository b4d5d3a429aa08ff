#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace modelmill {

enum class ChecksumKind { kMd5, kSha1, kSha256, kCrc32, kCrc32c, kCrc64Nvme };

/// What some bytes must sum up to. CRCs are in network order, as the clouds write them.
struct Checksum {
  ChecksumKind kind = ChecksumKind::kSha256;
  std::string bytes;

  bool operator==(const Checksum&) const = default;
};

/// "md5", "sha256" and so on.
const char* checksum_name(ChecksumKind kind);
/// nullopt when the text is not one of that kind.
std::optional<Checksum> checksum_of_hex(ChecksumKind kind, std::string_view text);
std::optional<Checksum> checksum_of_base64(ChecksumKind kind, std::string_view text);
std::string checksum_hex(const Checksum& checksum);

/// Sums up bytes that come piece by piece.
class Digest {
 public:
  explicit Digest(ChecksumKind kind);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void update(std::string_view piece);
  /// Once.
  Checksum finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

Checksum digest_of(ChecksumKind kind, std::string_view bytes);
/// The raw HMAC with SHA-256.
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace modelmill
