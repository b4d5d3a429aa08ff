#include "storage/checksum.h"

#include <gtest/gtest.h>

#include "storage/base64.h"

namespace modelmill {
namespace {

// The check values of the algorithms' own definitions.
TEST(Checksum, SumsUpTheNineDigits) {
  struct Case {
    ChecksumKind kind;
    const char* sum;
  };
  for (const Case& c : {Case{ChecksumKind::kMd5, "25f9e794323b453885f5181f1b624d0b"},
                        Case{ChecksumKind::kSha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"},
                        Case{ChecksumKind::kSha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"},
                        Case{ChecksumKind::kCrc32, "cbf43926"}, Case{ChecksumKind::kCrc32c, "e3069283"},
                        Case{ChecksumKind::kCrc64Nvme, "ae8b14860a799888"}}) {
    EXPECT_EQ(checksum_hex(digest_of(c.kind, "123456789")), c.sum) << checksum_name(c.kind);
    Digest pieces(c.kind);
    for (const char* piece : {"1", "", "2345678", "9"}) pieces.update(piece);
    EXPECT_EQ(checksum_hex(pieces.finish()), c.sum) << checksum_name(c.kind);
  }
}

TEST(Checksum, LongTextsAreSummedEightBytesAtATimeAsOneAtATime) {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += static_cast<char>(i * 7);
  for (const ChecksumKind kind : {ChecksumKind::kCrc32, ChecksumKind::kCrc32c, ChecksumKind::kCrc64Nvme}) {
    Digest single(kind);
    for (const char c : text) single.update({&c, 1});
    EXPECT_EQ(digest_of(kind, text), single.finish());
  }
}

TEST(Checksum, ReadsItsTexts) {
  EXPECT_EQ(checksum_of_hex(ChecksumKind::kCrc32c, "E3069283"), digest_of(ChecksumKind::kCrc32c, "123456789"));
  EXPECT_EQ(checksum_of_base64(ChecksumKind::kCrc32c, "4waSgw=="), digest_of(ChecksumKind::kCrc32c, "123456789"));
  for (const char* wrong : {"", "e30692", "e306928g", "e306928312"})
    EXPECT_EQ(checksum_of_hex(ChecksumKind::kCrc32c, wrong), std::nullopt) << wrong;
  for (const char* wrong : {"", "4waSgw", "4waSg", "4wa=gw==", "4waSgwAA"})
    EXPECT_EQ(checksum_of_base64(ChecksumKind::kCrc32c, wrong), std::nullopt) << wrong;
}

// Of RFC 4231, test case 2.
TEST(Checksum, Hmac) {
  EXPECT_EQ(checksum_hex({ChecksumKind::kSha256, hmac_sha256("Jefe", "what do ya want for nothing?")}),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Base64, ThereAndBack) {
  for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\xfd?"}) EXPECT_EQ(base64_bytes(base64(text)), text);
  EXPECT_EQ(base64("\xff\xfe\xfd?"), "//79Pw==");
  EXPECT_EQ(base64_url("\xff\xfe\xfd?"), "__79Pw");
}

}  // namespace
}  // namespace modelmill
