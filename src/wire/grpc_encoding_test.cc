#include "wire/grpc_encoding.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>
#include <string>
#include <vector>

namespace modelmill::wire {
namespace {

using namespace std::chrono_literals;

TEST(GrpcTimeout, Units) {
  EXPECT_EQ(parse_grpc_timeout("1H"), Duration(1h));
  EXPECT_EQ(parse_grpc_timeout("2M"), Duration(2min));
  EXPECT_EQ(parse_grpc_timeout("30S"), Duration(30s));
  EXPECT_EQ(parse_grpc_timeout("0m"), Duration(0));
  EXPECT_EQ(parse_grpc_timeout("5u"), Duration(5us));
  EXPECT_EQ(parse_grpc_timeout("99999999n"), Duration(99999999ns));
  EXPECT_EQ(parse_grpc_timeout("99999999S"), Duration(99999999s));
  EXPECT_EQ(parse_grpc_timeout("99999999M"), kLongestTimeout);
  EXPECT_EQ(parse_grpc_timeout("99999999H"), kLongestTimeout);
}

TEST(GrpcTimeout, Malformed) {
  for (const char* text : {"", "S", "1", "-1S", "+1S", " 1S", "1.5S", "1s", "123456789S", "1SS", "0x1S"})
    EXPECT_EQ(parse_grpc_timeout(text), std::nullopt) << text;
}

TEST(PercentEncode, KeepsPrintableAscii) {
  EXPECT_EQ(percent_encode("model 'x': 100% of \n\xc3\xa9~"), "model 'x': 100%25 of %0A%C3%A9~");
}

TEST(Base64, KnownVectors) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {std::string("\0\xff\x10", 3), "AP8Q"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
  EXPECT_EQ(base64_decode("Zg=="), "f");
  EXPECT_EQ(base64_decode("Zm8="), "fo");
  EXPECT_EQ(base64_decode("Z"), std::nullopt);
  EXPECT_EQ(base64_decode("Z*=="), std::nullopt);
  EXPECT_EQ(base64_decode("Zg==="), std::nullopt);
}

std::string deflated(const std::string& text, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(Inflate, GzipAndDeflate) {
  const std::string text(3'000'000, 'q');
  for (const int window_bits : {MAX_WBITS, MAX_WBITS + 16}) {
    const auto message = inflate_message(bytes_of(deflated(text, window_bits)), text.size());
    ASSERT_TRUE(message.ok()) << message.status().to_string();
    EXPECT_EQ(message->view(), text);
  }
  const auto empty = inflate_message(bytes_of(deflated("", MAX_WBITS)), 0);
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->empty());
}

TEST(Inflate, OneByteOverTheLimitIsRefused) {
  const std::string bomb = deflated(std::string(1'000'000, 0), MAX_WBITS);
  EXPECT_EQ(inflate_message(bytes_of(bomb), 999'999).status().code(), Code::kResourceExhausted);
}

TEST(Inflate, DamagedBytesAreAnError) {
  std::string damaged = deflated("some text that is long enough", MAX_WBITS);
  EXPECT_EQ(inflate_message(bytes_of(damaged.substr(0, damaged.size() - 3)), 1000).status().code(), Code::kInternal);
  EXPECT_EQ(inflate_message(bytes_of(damaged + "more"), 1000).status().code(), Code::kInternal);
  EXPECT_EQ(inflate_message(bytes_of(std::string("garbage")), 1000).status().code(), Code::kInternal);
  EXPECT_EQ(inflate_message({}, 1000).status().code(), Code::kInternal);
}

TEST(GrpcEncoding, TheEncodingOfAnAnswerIsOneThatTheCallerAccepts) {
  using enum GrpcCompression;
  EXPECT_EQ(choose_grpc_encoding(kMirror, "gzip", "identity, deflate, gzip"), "gzip");
  EXPECT_EQ(choose_grpc_encoding(kMirror, "deflate", "identity,deflate,gzip"), "gzip");
  EXPECT_EQ(choose_grpc_encoding(kMirror, "gzip", "identity, deflate ,snappy"), "deflate");
  EXPECT_EQ(choose_grpc_encoding(kMirror, "gzip", "identity, gzipped"), "");
  EXPECT_EQ(choose_grpc_encoding(kMirror, "gzip", ""), "");
  EXPECT_EQ(choose_grpc_encoding(kMirror, "", "gzip"), "");
  EXPECT_EQ(choose_grpc_encoding(kMirror, "identity", "gzip"), "");
  EXPECT_EQ(choose_grpc_encoding(kAlways, "", "gzip"), "gzip");
  EXPECT_EQ(choose_grpc_encoding(kAlways, "", ""), "");
  EXPECT_EQ(choose_grpc_encoding(kOff, "gzip", "gzip"), "");
}

}  // namespace
}  // namespace modelmill::wire
