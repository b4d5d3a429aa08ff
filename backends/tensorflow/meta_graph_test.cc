#include "meta_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire.h"

namespace modelmill::tensorflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string dim(int64_t size, const std::string& name = {}) {
  WireWriter out;
  out.number(1, size);
  if (!name.empty()) out.bytes(2, name);
  return out.out();
}

std::string shape(const std::vector<std::string>& dims) {
  WireWriter out;
  for (const std::string& d : dims) out.bytes(2, d);
  return out.out();
}

std::string tensor(const std::string& name, DataType type, const std::string& shape) {
  return WireWriter().bytes(1, name).number(2, static_cast<int64_t>(type)).bytes(3, shape).out();
}

std::string entry(const std::string& key, const std::string& value) {
  return WireWriter().bytes(1, key).bytes(2, value).out();
}

std::string meta_graph(const std::string& name, const std::string& signature, const std::string& tag = "serve") {
  return WireWriter()
      .bytes(1, WireWriter().bytes(4, tag).bytes(4, "cpu").out())
      .bytes(2, "the graph")
      .bytes(5, entry(name, signature))
      .out();
}

TEST(MetaGraphTest, ASignatureIsRead) {
  const std::string signature = WireWriter()
                                    .bytes(1, entry("x", tensor("in:0", DataType::kFloat, shape({dim(-1), dim(64)}))))
                                    .bytes(1, entry("a", tensor("s:0", DataType::kString, shape({dim(-1, "batch")}))))
                                    .bytes(2, entry("y", tensor("out:1", DataType::kBfloat16, shape({}))))
                                    .bytes(3, "tensorflow/serving/predict")
                                    .bytes(4, entry("a", "a tensor"))
                                    .bytes(4, entry("nobody", "another"))
                                    .out();
  const std::string bytes = meta_graph("serving_default", signature);
  const MetaGraph graph = read_meta_graph(bytes);
  EXPECT_EQ(graph.graph, "the graph");
  ASSERT_EQ(graph.signatures.size(), 1U);
  const SignatureDef& read = graph.signatures.at("serving_default");
  EXPECT_EQ(read.method, "tensorflow/serving/predict");
  const SignatureTensor& x = read.inputs.at("x");
  EXPECT_EQ(x.tensor, "in:0");
  EXPECT_EQ(x.type, DataType::kFloat);
  EXPECT_THAT(x.shape, ElementsAre(-1, 64));
  EXPECT_EQ(x.problem, "");
  EXPECT_EQ(x.default_value, "");
  EXPECT_FALSE(x.unknown_rank);
  EXPECT_THAT(read.inputs.at("a").symbols, ElementsAre("batch"));
  EXPECT_EQ(read.inputs.at("a").default_value, "a tensor");
  EXPECT_THAT(read.outputs.at("y").shape, ElementsAre());
}

TEST(MetaGraphTest, WhatCannotBeServedIsTold) {
  WireWriter many;
  for (int i = 0; i < 33; ++i) many.bytes(2, dim(1));
  const std::string signature =
      WireWriter()
          .bytes(1, entry("sparse", WireWriter().bytes(4, "").number(2, 1).out()))
          .bytes(1, entry("composite", WireWriter().bytes(5, "").number(2, 21).out()))
          .bytes(1, entry("complex", tensor("c:0", static_cast<DataType>(8), shape({}))))
          .bytes(1, entry("deep", tensor("d:0", DataType::kFloat, many.out())))
          .bytes(1, entry("nameless", WireWriter().number(2, 1).out()))
          .bytes(1, entry("any", tensor("a:0", DataType::kFloat, WireWriter().number(3, 1).out())))
          .out();
  const std::string bytes = meta_graph("f", signature);
  const MetaGraph graph = read_meta_graph(bytes);
  const SignatureDef& read = graph.signatures.at("f");
  EXPECT_THAT(read.inputs.at("sparse").problem, HasSubstr("sparse tensor"));
  EXPECT_THAT(read.inputs.at("composite").problem, HasSubstr("composite tensor"));
  EXPECT_THAT(read.inputs.at("complex").problem, HasSubstr("number 8"));
  EXPECT_THAT(read.inputs.at("deep").problem, HasSubstr("more than 32 dimensions"));
  EXPECT_THAT(read.inputs.at("nameless").problem, HasSubstr("names no tensor"));
  EXPECT_EQ(read.inputs.at("any").problem, "");
  EXPECT_TRUE(read.inputs.at("any").unknown_rank);
}

TEST(MetaGraphTest, EveryCutIsRefusedOrRead) {
  const std::string signature =
      WireWriter().bytes(1, entry("x", tensor("in:0", DataType::kFloat, shape({dim(-1), dim(64)})))).out();
  const std::string bytes = meta_graph("f", signature);
  size_t refused = 0;
  for (size_t size = 0; size < bytes.size(); ++size) try {
      EXPECT_EQ(read_meta_graph(std::string_view(bytes).substr(0, size)).signatures.count("f"), 0U) << size;
    } catch (const backend::Error& e) {
      EXPECT_EQ(e.code(), MM_INVALID_ARGUMENT);
      EXPECT_THAT(e.what(), HasSubstr("MetaGraphDef can't be read"));
      ++refused;
    }
  EXPECT_GT(refused, bytes.size() / 2);
}

TEST(MetaGraphTest, TagsAreListed) {
  const std::string saved =
      WireWriter().number(1, 1).bytes(2, meta_graph("f", "", "train")).bytes(2, meta_graph("f", "", "serve")).out();
  EXPECT_THAT(read_tag_sets(saved), ElementsAre("train,cpu", "serve,cpu"));
  EXPECT_THAT(read_tag_sets(saved.substr(0, saved.size() - 1)), ElementsAre());
  EXPECT_THAT(read_tag_sets("no such thing"), ElementsAre());
}

}  // namespace
}  // namespace modelmill::tensorflow
