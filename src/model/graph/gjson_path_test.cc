#include "model/graph/gjson_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

/// The document of GJSON's own documentation of its syntax.
constexpr const char* kPeople = R"({
  "name": {"first": "Tom", "last": "Anderson"}, "age": 37, "children": ["Sara", "Alex", "Jack"],
  "fav.movie": "Deer Hunter",
  "friends": [
    {"first": "Dale", "last": "Murphy", "age": 44, "nets": ["ig", "fb", "tw"]},
    {"first": "Roger", "last": "Craig", "age": 68, "nets": ["fb", "tw"]},
    {"first": "Jane", "last": "Murphy", "age": 47, "nets": ["ig", "tw"]}],
  "vals": [
    {"a": 1, "b": "data"}, {"a": 2, "b": true}, {"a": 3, "b": false}, {"a": 4, "b": "0"}, {"a": 5, "b": 0},
    {"a": 6, "b": "1"}, {"a": 7, "b": 1}, {"a": 8, "b": "true"}, {"a": 9, "b": false}, {"a": 10, "b": null},
    {"a": 11}]
})";

/// The JSON that a path leads to, "-" for nothing, or why it can't be read.
std::string find(const std::string& json, const std::string& text) {
  const auto path = GjsonPath::parse(text);
  if (!path.ok()) return path.status().to_string();
  simdjson::dom::parser parser;
  return path->find(parser.parse(simdjson::padded_string(json)).value()).value_or("-");
}

TEST(GjsonPath, LeadsWhereItsDocumentationSays) {
  struct Case {
    const char *path, *found;
  };
  const Case table[] = {
      {"name.last", R"("Anderson")"},
      {"age", "37"},
      {"children", R"(["Sara","Alex","Jack"])"},
      {"children.1", R"("Alex")"},
      {"children.3", "-"},
      {"friends.1.first", R"("Roger")"},
      {"child*.2", R"("Jack")"},
      {"c?ildren.0", R"("Sara")"},
      {R"(fav\.movie)", R"("Deer Hunter")"},
      {"fav.movie", "-"},
      {"children.#", "3"},
      {"friends.#.age", "[44,68,47]"},
      {"friends.#.none", "[]"},
      {"age.#", "-"},
      {R"(friends.#(last=="Murphy").first)", R"("Dale")"},
      {R"(friends.#(last=="Murphy")#.first)", R"(["Dale","Jane"])"},
      {R"(friends.#(last==Murphy)#.first)", R"(["Dale","Jane"])"},
      {R"(friends.#( last == "Murphy" ).first)", R"("Dale")"},
      {R"(friends.#[last=="Murphy"].first)", R"("Dale")"},
      {"friends.#(age>45)#.last", R"(["Craig","Murphy"])"},
      {"friends.#(age>=47)#.age", "[68,47]"},
      {"friends.#(age<47)#.age", "[44]"},
      {"friends.#(age<=47)#.age", "[44,47]"},
      {"friends.#(age!=47)#.age", "[44,68]"},
      {R"(friends.#(first%"D*").last)", R"("Murphy")"},
      {R"(friends.#(first!%"D*").last)", R"("Craig")"},
      {"friends.#(first%*an?).age", "47"},
      {R"(children.#(!%"*a*"))", R"("Alex")"},
      {R"(children.#(%"*a*")#)", R"(["Sara","Jack"])"},
      {R"(friends.#(nets.#(=="fb"))#.first)", R"(["Dale","Roger"])"},
      {"friends.#(nets)#.first", R"(["Dale","Roger","Jane"])"},
      {"friends.#(pets).first", "-"},
      {"friends.#(pets)#.first", "[]"},
      {"friends.#(last==Nobody)", "-"},
      {"vals.#(b==~true)#.a", "[2,6,7,8]"},
      {"vals.#(b==~false)#.a", "[3,4,5,9,10,11]"},
      {"vals.#(b==~null)#.a", "[10,11]"},
      {"vals.#(b==~*)#.a", "[1,2,3,4,5,6,7,8,9,10]"},
      {"vals.#(b!=~*)#.a", "[11]"},
      {"vals.#(b==true)#.a", "[2,5,8]"},
      {"vals.#(b==false)#.a", "[3,5,9]"},
      {"vals.9.b", "null"},
      {"friends|0.first", R"("Dale")"},
      {"friends.0|first", R"("Dale")"},
      {"friends|0|first", R"("Dale")"},
      {"friends|#", "3"},
      {R"(friends.#(last="Murphy")#|first)", "-"},
      {R"(friends.#(last="Murphy")#.0)", "[]"},
      {R"(friends.#(last="Murphy")#|0.age)", "44"},
      {R"(friends.#(last="Murphy")#.#)", "[]"},
      {R"(friends.#(last="Murphy")#|#)", "2"},
      {R"(friends.#(last="Murphy")#.first|1)", R"("Jane")"},
      {"friends.#.age|0", "44"},
      {"children.@reverse", R"(["Jack","Alex","Sara"])"},
      {"children.@reverse.0", R"("Jack")"},
      {"@this.age", "37"},
      {"name.@this.first", R"("Tom")"},
      {"@valid|age", "37"},
      {"name.@nothing", "-"},
      {"[age,name.first,none]", R"([37,"Tom"])"},
      {R"({name.first,age,"the_murphys":friends.#(last="Murphy")#.first})",
       R"({"first":"Tom","age":37,"the_murphys":["Dale","Jane"]})"},
      {"[@this].#(age==37).name.first", R"("Tom")"},
      {"[@this].#(age==38).name.first", "-"},
      {"", "-"},
      {"none", "-"},
      {"none.deeper", "-"},
  };
  for (const Case& c : table) EXPECT_EQ(find(kPeople, c.path), c.found) << c.path;
}

TEST(GjsonPath, FindsWhatConditionsOfGraphsAskFor) {
  const std::string body =
      R"({"source": "client", "instances": [{"intval": 4, "strval": "a red-server b"}, {"modelId": "2"}],)"
      R"( "predictions": [{"label": "dog"}, 7, null]})";
  EXPECT_NE(find(body, "[@this].#(source==client)"), "-");
  EXPECT_EQ(find(body, "[@this].#(source==server)"), "-");
  EXPECT_EQ(find(body, "instances.#(intval>10)"), "-");
  EXPECT_NE(find(body, "instances.#(intval>3)"), "-");
  EXPECT_NE(find(body, "instances.#(strval%*red-server*)"), "-");
  EXPECT_EQ(find(body, R"(instances.#(modelId=="1"))"), "-");
  EXPECT_NE(find(body, R"(instances.#(modelId=="2"))"), "-");
  EXPECT_NE(find(body, R"(predictions.#(label=="dog"))"), "-");
  EXPECT_EQ(find(body, "predictions.#(==7)"), "7");
}

TEST(GjsonPath, TakesAnyDocument) {
  EXPECT_EQ(find("7", "a"), "-");
  EXPECT_EQ(find("[]", "0"), "-");
  EXPECT_EQ(find("[1,2]", "-1"), "-");
  EXPECT_EQ(find("[1,2]", "1x"), "-");
  EXPECT_EQ(find("[1,2]", "99999999999999999999"), "-");
  EXPECT_EQ(find("{}", "[a,b]"), "[]");
  EXPECT_EQ(find(R"({"a":{"b":1},"ab":{"c":2}})", "a*.c"), "2");
  EXPECT_EQ(find(R"(["\u00e4x"])", R"(#(%"?x"))"), "\"\xC3\xA4x\"");
}

TEST(GjsonPath, RefusesWhatItDoesNotKnowByItsName) {
  struct Case {
    const char *path, *why;
  };
  const Case table[] = {
      {"a.@flatten", "UNIMPLEMENTED"},
      {"a.@flatten", "the modifier @flatten"},
      {"[a,b.@dig:c]", "the modifier @dig"},
      {R"(@pretty:{"sortKeys":true})", "arguments of modifiers, as of @pretty"},
      {"!true", "literals"},
      {"..#", "JSON lines"},
      {"a.#(b==1", "not closed"},
      {"a.#(b=1).@group", "@group"},
      {"[a,b", "not closed"},
      {"[a]b", "expected '.' or '|'"},
      {"a.#(b==1)x", "expected '.' or '|'"},
      {"a.#(b!1)", "compares in no way"},
      {"a.#(b==~maybe)", "'~maybe' is not known"},
      {"a.#(b.#(c==~x)==1)", "'~x' is not known"},
  };
  for (const Case& c : table) EXPECT_THAT(find("{}", c.path), HasSubstr(c.why)) << c.path;
  EXPECT_THAT(find("{}", std::string(5000, 'a')), HasSubstr("at most 1024"));
}

}  // namespace
}  // namespace modelmill
