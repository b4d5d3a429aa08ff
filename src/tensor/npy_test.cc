#include "tensor/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tensor/cast.h"
#include "tensor/csv.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

/// A file as NumPy writes it.
std::string npy(std::string dict, const std::string& data) {
  dict.resize((dict.size() + 11 + 63) / 64 * 64 - 11, ' ');
  dict += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  const auto length = static_cast<uint16_t>(dict.size());
  file.append(reinterpret_cast<const char*>(&length), 2);
  return file + dict + data;
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
std::vector<T> values(const Tensor& t) {
  const Bytes b = t.contiguous();
  std::vector<T> out(b.size() / sizeof(T));
  if (!b.empty()) std::memcpy(out.data(), b.data(), b.size());
  return out;
}

Bytes joined(const Chunks& chunks) {
  std::string all;
  for (const Bytes& b : chunks) all += b.view();
  return Bytes::copy_of(all);
}

TEST(Npy, ReadsWhatNumpyWrites) {
  const auto file = Bytes::copy_of(
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", raw<float>({1, 2, 3, 4, 5, 6})));
  const Tensor t = parse_npy(file).value();
  EXPECT_EQ(t.dtype, DataType::kFp32);
  EXPECT_EQ(shape_text(dims(t.shape)), "[2,3]");
  EXPECT_THAT(values<float>(t), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data[0].data()) % kAlignment, 0u);
  EXPECT_GE(t.data[0].data(), file.data());  // a view
}

TEST(Npy, FortranOrderAndBigEndian) {
  const Tensor f = parse_npy(Bytes::copy_of(npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}",
                                                raw<int16_t>({1, 4, 2, 5, 3, 6}))))
                       .value();
  EXPECT_THAT(values<int16_t>(f), ::testing::ElementsAre(1, 2, 3, 4, 5, 6));
  const Tensor b = parse_npy(Bytes::copy_of(npy("{'descr': '>i4', 'fortran_order': False, 'shape': (1,)}",
                                                std::string("\0\0\1\2", 4))))
                       .value();
  EXPECT_THAT(values<int32_t>(b), ::testing::ElementsAre(258));
}

TEST(Npy, Strings) {
  const Tensor s = parse_npy(Bytes::copy_of(npy("{'descr': '|S3', 'fortran_order': False, 'shape': (2,)}",
                                                std::string("ab\0xyz", 6))))
                       .value();
  EXPECT_EQ(s.contiguous().view(), std::string_view("\2\0\0\0ab\3\0\0\0xyz", 13));
  const Tensor u =
      parse_npy(Bytes::copy_of(npy("{'descr': '<U2', 'fortran_order': False, 'shape': ()}", raw<uint32_t>({0xe9, 0}))))
          .value();
  EXPECT_EQ(u.contiguous().view(), std::string_view("\2\0\0\0\xc3\xa9", 6));
}

TEST(Npy, Refusals) {
  const auto message = [](const std::string& file) { return parse_npy(Bytes::copy_of(file)).status().message(); };
  EXPECT_THAT(message("nope"), HasSubstr("does not begin"));
  EXPECT_THAT(message(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "x")), HasSubstr("pickle"));
  EXPECT_THAT(message(npy("{'descr': [('a','<f4')], 'fortran_order': False, 'shape': (1,)}", "x")),
              HasSubstr("structured"));
  EXPECT_THAT(message(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "xxxx")),
              HasSubstr("4 bytes follow"));
  EXPECT_THAT(
      message(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}", "")),
      HasSubstr("broken"));
  EXPECT_THAT(message(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "12345678")),
              HasSubstr("type 'c8'"));
}

TEST(Npy, WritesWhatItReads) {
  Tensor t;
  t.dtype = DataType::kInt64;
  t.shape = {2};
  t.data.push_back(Bytes::copy_of(raw<int64_t>({7, -1})));
  const Chunks file = write_npy(t);
  EXPECT_EQ(file[0].size() % 64, 0u);
  const Tensor back = parse_npy(joined(file)).value();
  EXPECT_THAT(values<int64_t>(back), ::testing::ElementsAre(7, -1));
  t.dtype = DataType::kBytes;
  t.data[0] = Bytes::copy_of(std::string_view("\1\0\0\0a\3\0\0\0xyz", 12));
  EXPECT_EQ(parse_npy(joined(write_npy(t)))->contiguous().view(), t.data[0].view());
  t.dtype = DataType::kBf16;
  t.data[0] = Bytes::copy_of(raw<uint16_t>({0x3f80, 0x4000}));
  EXPECT_THAT(values<float>(parse_npy(joined(write_npy(t))).value()), ::testing::ElementsAre(1, 2));
}

TEST(Npy, GarbageNeverCrashes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string good =
      npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", raw<float>({1, 2, 3, 4, 5, 6}));
  for (int i = 0; i < 3000; ++i) {
    std::string file = good;
    for (int k = 0; k < 3; ++k) file[random() % file.size()] = static_cast<char>(random());
    file.resize(random() % (file.size() + 1));
    const auto result = parse_npy(Bytes::copy_of(file));
    if (result.ok()) {
      EXPECT_TRUE(check_tensor_bytes(*result).ok());
    }
  }
}

TEST(Cast, Numbers) {
  Tensor t;
  t.name = "t";
  t.dtype = DataType::kFp64;
  t.shape = {2};
  t.data.push_back(Bytes::copy_of(raw<double>({1, 250})));
  EXPECT_THAT(values<uint8_t>(cast_tensor(t, DataType::kUint8).value()), ::testing::ElementsAre(1, 250));
  EXPECT_THAT(values<float>(cast_tensor(t, DataType::kFp32).value()), ::testing::ElementsAre(1, 250));
  EXPECT_THAT(cast_tensor(t, DataType::kInt8).status().message(), HasSubstr("element 1 of tensor 't' is 250"));
  EXPECT_THAT(cast_tensor(t, DataType::kBool).status().message(), HasSubstr("BOOL cannot hold"));
  EXPECT_FALSE(cast_tensor(t, DataType::kBytes).ok());
  EXPECT_THAT(values<uint16_t>(cast_tensor(t, DataType::kFp16).value()), ::testing::ElementsAre(0x3c00, 0x5bd0));
}

TEST(Csv, Reads) {
  const CsvTable table = parse_csv("a,b\r\n1,2.5\r\n\r\n-3,\"4\"\n").value();
  EXPECT_THAT(table.header, ::testing::ElementsAre("a", "b"));
  const Tensor t = csv_to_tensor(table).value();
  EXPECT_EQ(shape_text(dims(t.shape)), "[2,2]");
  EXPECT_THAT(values<double>(t), ::testing::ElementsAre(1, 2.5, -3, 4));
  EXPECT_THAT(values<int64_t>(csv_to_tensor(parse_csv("9007199254740993").value(), DataType::kInt64).value()),
              ::testing::ElementsAre(9007199254740993));
}

TEST(Csv, Quotes) {
  const CsvTable table = parse_csv("\"a,\"\"b\"\"\nc\",d\n").value();
  EXPECT_TRUE(table.header.empty());
  EXPECT_THAT(table.rows[0], ::testing::ElementsAre("a,\"b\"\nc", "d"));
  const Tensor t = csv_to_tensor(table, DataType::kBytes).value();
  EXPECT_EQ(write_csv(t), "\"a,\"\"b\"\"\nc\",d\n");
}

TEST(Csv, Refusals) {
  EXPECT_THAT(parse_csv("1,2\n3\n").status().message(), HasSubstr("line 2 has 1 fields, the first line has 2"));
  EXPECT_THAT(parse_csv("\"abc").status().message(), HasSubstr("no closing quote"));
  EXPECT_THAT(csv_to_tensor(parse_csv("1,2\n3,x\n").value()).status().message(), HasSubstr("row 2, column 2: 'x'"));
}

TEST(Csv, Writes) {
  Tensor t;
  t.dtype = DataType::kFp32;
  t.shape = {2, 1, 2};
  t.data.push_back(Bytes::copy_of(raw<float>({1, 0.5f, -2, 3})));
  EXPECT_EQ(write_csv(t), "1,0.5\n-2,3\n");
}

}  // namespace
}  // namespace modelmill
