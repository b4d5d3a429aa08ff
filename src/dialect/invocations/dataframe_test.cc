#include "dialect/invocations/dataframe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "dialect/invocations/dataframe_inputs.h"
#include "serve/testing/fake_version.h"

namespace modelmill::invocations {
namespace {

namespace dom = simdjson::dom;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RecordingSink;

class DataframeTest : public ::testing::Test {
 protected:
  dom::element parsed(const std::string& json) {
    dom::element value;
    EXPECT_EQ(parser_.parse(json).get(value), simdjson::SUCCESS) << json;
    return value;
  }
  /// "a,b" and the cells, row after row.
  std::string records(const std::string& json) {
    const auto frame = read_records(parsed(json));
    if (!frame.ok()) return frame.status().message();
    std::string out;
    for (const std::string& column : frame->columns) out += (out.empty() ? "" : ",") + column;
    for (size_t i = 0; i < frame->cells.size(); ++i)
      out += (i % frame->columns.size() == 0 ? " | " : ",") + simdjson::minify(frame->cells[i]);
    return out;
  }
  /// The only input's shape and elements, or what is wrong.
  std::string input(const TensorSpec& spec, const std::string& split, std::string* data = nullptr) {
    const auto frame = read_split(parsed(split));
    if (!frame.ok()) return frame.status().message();
    InferRequest request(std::make_shared<RecordingSink>());
    const Status status = put_columns(*frame, {{spec}, {}}, request);
    std::string out = status.message();
    if (status.ok()) {
      out = shape_text(dims(request.inputs.at(0).shape));
      if (data != nullptr) *data = request.inputs.at(0).contiguous().view();
    }
    request.finish();
    return out;
  }

  dom::parser parser_;
};

TEST_F(DataframeTest, ColumnsAreThoseOfAllRecords) {
  EXPECT_EQ(records(R"([{"a":1,"b":2},{"a":3,"b":4}])"), "a,b | 1,2 | 3,4");
  EXPECT_EQ(records(R"([{"a":1,"b":2,"c":3},{"c":4,"a":5,"b":6},{"c":7,"b":8,"a":9}])"),
            "a,b,c | 1,2,3 | 5,6,4 | 9,8,7");
  EXPECT_EQ(records(R"([{"a":1},{"b":2},{"c":3,"a":4}])"), "a,b,c | 1,null,null | null,2,null | 4,null,3");
  EXPECT_EQ(records(R"([{},{"a":1}])"), "a | null | 1");
  EXPECT_EQ(records(R"([{"a":null},{"":[1]}])"), "a, | null,null | null,[1]");
  EXPECT_EQ(records("[{}]"), "'dataframe_records' has no rows");
}

TEST_F(DataframeTest, ANameComesOnceInARecord) {
  for (const char* text : {R"([{"a":1},{"a":1,"a":2}])", R"([{"b":1,"a":1},{"a":1,"b":2,"a":3}])"})
    EXPECT_THAT(records(text), HasSubstr("record 1 of 'dataframe_records' has 'a' twice")) << text;
  EXPECT_THAT(records(R"([{"a":1,"b":2,"a":1}])"), HasSubstr("record 0 of 'dataframe_records' has 'a' twice"));
}

TEST_F(DataframeTest, ASmallBodyMakesNoLargeTable) {
  const auto diagonal = [](int rows) {
    std::string text = "[";
    for (int i = 0; i < rows; ++i) text += (i == 0 ? "{\"c" : ",{\"c") + std::to_string(i) + "\":1}";
    return text + "]";
  };
  EXPECT_THAT(records(diagonal(1000)),
              AllOf(HasSubstr("the 1000 records of 'dataframe_records' have 1000 names in all, and lack 999000 cells"),
                    HasSubstr("they may lack 100000"), HasSubstr("send 'dataframe_split'")));
  const auto some = read_records(parsed(diagonal(300)));
  ASSERT_TRUE(some.ok()) << some.status().message();
  EXPECT_EQ(some->cells.size(), 90'000U);
  // Of many cells three of four may lack.
  const auto sparse = [](int lacking) {
    std::string text = "[";
    for (int i = 0; i < 60'000; ++i)
      text += i == 0 ? R"({"a":1,"b":1,"c":1,"d":1,"e":1})" : i > lacking ? R"(,{"a":1,"b":1})" : R"(,{"a":1})";
    return text + "]";
  };
  EXPECT_TRUE(read_records(parsed(sparse(20'000))).ok());
  EXPECT_THAT(records(sparse(60'000)), HasSubstr("or 3 for each that they have"));
}

TEST_F(DataframeTest, ARowStaysARow) {
  const TensorSpec text{"text", DataType::kBytes, {-1}, {}, false};
  EXPECT_EQ(input(text, R"({"data":[["a"],["b"]]})"), "[2]");
  EXPECT_THAT(input(text, R"({"data":[["a","b"]]})"),
              AllOf(HasSubstr("input 'text' has shape [-1]"), HasSubstr("is 1 x 2: it would become [2]")));
  const TensorSpec image{"image", DataType::kFp32, {-1, 3, 4}, {}, false};
  EXPECT_THAT(input(image, R"({"data":[[1,2,3,4],[1,2,3,4],[1,2,3,4]]})"),
              AllOf(HasSubstr("input 'image' has shape [-1,3,4]"), HasSubstr("is 3 x 4: it would become [1,3,4]")));
  EXPECT_EQ(input(image, R"({"data":[[1,2,3,4,5,6,7,8,9,10,11,12]]})"), "[1,3,4]");
  EXPECT_EQ(input(image, R"({"data":[[[[1,2,3,4],[1,2,3,4],[1,2,3,4]]]]})"), "[1,3,4]");
  const TensorSpec any{"any", DataType::kFp32, {-1, -1}, {}, false};
  EXPECT_EQ(input(any, R"({"data":[[1,2,3]]})"), "[1,3]");
  const TensorSpec fixed{"fixed", DataType::kFp32, {3}, {}, false};  // a model without batches
  EXPECT_EQ(input(fixed, R"({"data":[[1,2,3]]})"), "[3]");
}

TEST_F(DataframeTest, ScalarsAndArraysOfOneAreTheSameElements) {
  for (const DataType dtype : {DataType::kBool, DataType::kUint8, DataType::kUint16, DataType::kUint32,
                               DataType::kUint64, DataType::kInt8, DataType::kInt16, DataType::kInt32, DataType::kInt64,
                               DataType::kFp16, DataType::kBf16, DataType::kFp32, DataType::kFp64}) {
    const TensorSpec spec{"x", dtype, {-1, 1}, {}, false};
    std::string scalars;
    std::string arrays;
    EXPECT_EQ(input(spec, R"({"data":[[1],[0.0],[1]]})", &scalars), "[3,1]") << dtype_name(dtype);
    EXPECT_EQ(input(spec, R"({"data":[[[1]],[[0.0]],[[1]]]})", &arrays), "[3,1]") << dtype_name(dtype);
    EXPECT_EQ(scalars, arrays) << dtype_name(dtype);
    EXPECT_EQ(scalars.size(), 3 * dtype_size(dtype));
    for (const char* wrong : {R"({"data":[["a"]]})", R"({"data":[[{}]]})"})
      EXPECT_THAT(input(spec, wrong),
                  AllOf(HasSubstr("input 'x' takes " + std::string(dtype_name(dtype))), HasSubstr("the value is ")))
          << dtype_name(dtype);
  }
  const TensorSpec words{"x", DataType::kBytes, {-1, 1}, {}, false};
  std::string data;
  EXPECT_EQ(input(words, R"({"data":[["a"],["bc"]]})", &data), "[2,1]");
  EXPECT_EQ(data, std::string("\1\0\0\0a\2\0\0\0bc", 11));
  EXPECT_THAT(input(words, R"({"data":[[1]]})"), HasSubstr("the value is 1"));
  const TensorSpec small{"x", DataType::kInt8, {-1, 1}, {}, false};
  EXPECT_THAT(input(small, R"({"data":[[128]]})"), HasSubstr("column '0', row 0: input 'x' takes INT8"));
}

TEST_F(DataframeTest, NullIsNaN) {
  const TensorSpec spec{"x", DataType::kFp32, {-1, 2}, {}, false};
  std::string data;
  EXPECT_EQ(input(spec, R"({"data":[[null,1],[2,null]]})", &data), "[2,2]");
  std::vector<float> values(4);
  ASSERT_EQ(data.size(), values.size() * sizeof(float));
  std::memcpy(values.data(), data.data(), data.size());
  EXPECT_THAT(values, ElementsAre(::testing::IsNan(), 1, 2, ::testing::IsNan()));
}

}  // namespace
}  // namespace modelmill::invocations
