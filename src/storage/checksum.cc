#include "storage/checksum.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>

#include "base/check.h"
#include "base/hex_text.h"
#include "storage/base64.h"

namespace modelmill {
namespace {

/// Reflected CRCs, eight bytes a step.
class CrcTable {
 public:
  constexpr explicit CrcTable(uint64_t polynomial) {
    for (uint64_t byte = 0; byte < 256; ++byte) {
      uint64_t value = byte;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? polynomial : 0);
      steps_[0][byte] = value;
    }
    for (size_t byte = 0; byte < 256; ++byte)
      for (size_t step = 1; step < 8; ++step)
        steps_[step][byte] = (steps_[step - 1][byte] >> 8) ^ steps_[0][steps_[step - 1][byte] & 255];
  }

  uint64_t update(uint64_t crc, std::string_view piece) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(piece.data());
    size_t left = piece.size();
    for (; left >= 8; left -= 8, bytes += 8) {
      uint64_t next = 0;
      for (size_t i = 0; i < 8; ++i) next |= static_cast<uint64_t>(bytes[i]) << (8 * i);
      next ^= crc;
      crc = 0;
      for (size_t i = 0; i < 8; ++i) crc ^= steps_[7 - i][(next >> (8 * i)) & 255];
    }
    for (; left > 0; --left, ++bytes) crc = (crc >> 8) ^ steps_[0][(crc ^ *bytes) & 255];
    return crc;
  }

 private:
  std::array<std::array<uint64_t, 256>, 8> steps_{};
};

constexpr CrcTable kCrc32Table(0xEDB88320);
constexpr CrcTable kCrc32cTable(0x82F63B78);
constexpr CrcTable kCrc64NvmeTable(0x9A6C9329AC4BC9B5);

const EVP_MD* message_digest(ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::kMd5: return EVP_md5();
    case ChecksumKind::kSha1: return EVP_sha1();
    case ChecksumKind::kSha256: return EVP_sha256();
    default: return nullptr;
  }
}

const CrcTable& crc_table(ChecksumKind kind) {
  if (kind == ChecksumKind::kCrc32) return kCrc32Table;
  return kind == ChecksumKind::kCrc32c ? kCrc32cTable : kCrc64NvmeTable;
}

size_t checksum_size(ChecksumKind kind) {
  if (const EVP_MD* digest = message_digest(kind)) return static_cast<size_t>(EVP_MD_get_size(digest));
  return kind == ChecksumKind::kCrc64Nvme ? 8 : 4;
}

}  // namespace

const char* checksum_name(ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::kMd5: return "md5";
    case ChecksumKind::kSha1: return "sha1";
    case ChecksumKind::kSha256: return "sha256";
    case ChecksumKind::kCrc32: return "crc32";
    case ChecksumKind::kCrc32c: return "crc32c";
    case ChecksumKind::kCrc64Nvme: return "crc64nvme";
  }
  return "";
}

std::optional<Checksum> checksum_of_hex(ChecksumKind kind, std::string_view text) {
  if (text.size() != 2 * checksum_size(kind)) return std::nullopt;
  Checksum out{kind, {}};
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.bytes += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::optional<Checksum> checksum_of_base64(ChecksumKind kind, std::string_view text) {
  auto bytes = base64_bytes(text);
  if (!bytes || bytes->size() != checksum_size(kind)) return std::nullopt;
  return Checksum{kind, *std::move(bytes)};
}

std::string checksum_hex(const Checksum& checksum) {
  return hex_text({reinterpret_cast<const unsigned char*>(checksum.bytes.data()), checksum.bytes.size()});
}

struct Digest::Rep {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  ChecksumKind kind;
  std::unique_ptr<EVP_MD_CTX, Free> context;  // none for CRCs
  uint64_t crc = ~uint64_t{0};
};

Digest::Digest(ChecksumKind kind) : rep_(std::make_unique<Rep>()) {
  rep_->kind = kind;
  const EVP_MD* digest = message_digest(kind);
  if (digest == nullptr) {
    if (checksum_size(kind) == 4) rep_->crc = 0xFFFFFFFF;
    return;
  }
  rep_->context.reset(EVP_MD_CTX_new());
  MM_CHECK(EVP_DigestInit_ex(rep_->context.get(), digest, nullptr) == 1, "OpenSSL has no such digest");
}

Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::update(std::string_view piece) {
  if (rep_->context)
    EVP_DigestUpdate(rep_->context.get(), piece.data(), piece.size());
  else
    rep_->crc = crc_table(rep_->kind).update(rep_->crc, piece);
}

Checksum Digest::finish() {
  const size_t size = checksum_size(rep_->kind);
  Checksum out{rep_->kind, std::string(size, '\0')};
  if (rep_->context) {
    EVP_DigestFinal_ex(rep_->context.get(), reinterpret_cast<unsigned char*>(out.bytes.data()), nullptr);
    return out;
  }
  const uint64_t value = ~rep_->crc;
  for (size_t i = 0; i < size; ++i) out.bytes[i] = static_cast<char>(value >> (8 * (size - 1 - i)));
  return out;
}

Checksum digest_of(ChecksumKind kind, std::string_view bytes) {
  Digest digest(kind);
  digest.update(bytes);
  return digest.finish();
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
  out.resize(size);
  return out;
}

}  // namespace modelmill
