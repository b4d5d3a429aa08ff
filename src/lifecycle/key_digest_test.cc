#include "lifecycle/key_digest.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(KeyDigest, IsSha256) {  // FIPS 180-2, appendix B.1
  KeyDigest digest;
  digest.add("a", 1);
  digest.add("bc", 2);
  EXPECT_EQ(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(KeyDigest, TwoTextsAreNotOne) {
  KeyDigest apart, together;
  apart.add(std::string("ab"));
  apart.add(std::string("c"));
  together.add(std::string("a"));
  together.add(std::string("bc"));
  EXPECT_NE(apart.hex(), together.hex());
}

}  // namespace
}  // namespace modelmill
