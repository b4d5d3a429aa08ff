#include "wire/deflate.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "wire/grpc_encoding.h"

namespace modelmill::wire {
namespace {

std::string text(size_t size) {
  std::string out;
  while (out.size() < size) out += "{\"data\": " + std::to_string(out.size() * 7919 % 1000) + "}";
  out.resize(size);
  return out;
}

TEST(Deflate, BothFormatsComeBackFromManyChunks) {
  for (const DeflateFormat format : {DeflateFormat::kGzip, DeflateFormat::kZlib}) {
    for (const size_t size : {size_t{200}, size_t{5'000}, size_t{300'000}, size_t{3'000'000}}) {
      const std::string all = text(size);
      Chunks chunks;
      for (size_t at = 0, n = 1; at < size; at += n, n *= 3) chunks.push_back(Bytes::copy_of(all.substr(at, n)));
      chunks.push_back(Bytes());
      const auto deflated = deflate_chunks(chunks, format);
      ASSERT_TRUE(deflated) << size;
      EXPECT_LT(deflated->size(), size);
      EXPECT_EQ(std::to_integer<int>(deflated->data()[0]), format == DeflateFormat::kGzip ? 0x1f : 0x78);
      const auto back = inflate_message({deflated->data(), deflated->size()}, size);
      ASSERT_TRUE(back.ok());
      EXPECT_EQ(back->view(), all);
    }
  }
}

TEST(Deflate, WhatDoesNotGetSmallerIsLeftAsItIs) {
  std::mt19937_64 random(1);
  std::string noise(100'000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  EXPECT_FALSE(deflate_chunks({Bytes::copy_of(noise)}, DeflateFormat::kGzip));
  EXPECT_FALSE(deflate_chunks({Bytes::copy_of("x")}, DeflateFormat::kGzip));
  EXPECT_FALSE(deflate_chunks({}, DeflateFormat::kGzip));
}

}  // namespace
}  // namespace modelmill::wire
