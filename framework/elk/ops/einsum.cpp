#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <elk/base/format.hpp>
#include <elk/ops/arithmetic.hpp>
#include <elk/ops/einsum.hpp>
#include <elk/ops/linalg.hpp>
#include <elk/ops/reduce.hpp>
#include <elk/ops/shape.hpp>

namespace elk {

namespace {

// A letter, or -1, -2, ... for the axes of an ellipsis, counted from its end.
using Labels = std::vector<int>;

bool has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// A tensor and the names of its axes.
struct Factor {
  Tensor x;
  Labels labels;
  Index size(int label) const {
    return x.size(static_cast<int>(std::find(labels.begin(), labels.end(), label) - labels.begin()));
  }
};

[[noreturn]] void not_understood(const std::string& equation, const std::string& what) {
  fail<ValueError>("[einsum] \"{}\": {}", equation, what);
}

// "b...ij", where the ellipsis stands for `axes` of them; without one, `axes` must be 0 or unknown (-1).
Labels parse(const std::string& equation, const std::string& term, int axes) {
  Labels labels;
  bool ellipsis = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(term[i])) != 0) {
      labels.push_back(term[i]);
    } else if (term.compare(i, 3, "...") == 0 && !ellipsis) {
      ellipsis = true;
      for (int k = axes; k > 0; --k) labels.push_back(-k);
      i += 2;
    } else {
      not_understood(equation, fmt::format("expected letters and one \"...\", got \"{}\"", term));
    }
  }
  return labels;
}

int letters(const std::string& term) {
  return static_cast<int>(
      std::count_if(term.begin(), term.end(), [](unsigned char c) { return std::isalpha(c) != 0; }));
}

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

Equation read(const std::string& text, const std::vector<Tensor>& operands) {
  std::string plain;
  for (const char c : text)
    if (c != ' ') plain += c;
  const std::size_t arrow = plain.find("->");
  std::vector<std::string> terms{""};
  for (const char c : plain.substr(0, arrow)) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  if (terms.size() != operands.size())
    not_understood(text, fmt::format("it has {} operands, got {}", terms.size(), operands.size()));
  Equation equation;
  int most = 0;  // axes of an ellipsis
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool ellipsis = terms[i].find("...") != std::string::npos;
    const int rank = operands[i].rank(), rest = rank - letters(terms[i]);
    if (rest < 0 || (rest > 0 && !ellipsis))
      fail<ShapeError>("[einsum] \"{}\" does not fit operand {} of shape {}", terms[i], i,
                       operands[i].shape());
    equation.operands.push_back(parse(text, terms[i], rest));
    if (ellipsis) most = std::max(most, rest);
  }
  if (arrow != std::string::npos) {
    equation.result = parse(text, plain.substr(arrow + 2), most);
  } else {
    std::map<int, int> times;
    for (const Labels& labels : equation.operands)
      for (const int label : labels) ++times[label];
    for (const auto& [label, count] : times)  // an ellipsis' first axis has the lowest number
      if (label < 0 || count == 1) equation.result.push_back(label);
  }
  for (const int label : equation.result) {
    const bool known = std::any_of(equation.operands.begin(), equation.operands.end(),
                                   [label](const Labels& labels) { return has(labels, label); });
    if (!known) not_understood(text, fmt::format("no operand has \"{}\"", static_cast<char>(label)));
    if (std::count(equation.result.begin(), equation.result.end(), label) > 1)
      not_understood(text, fmt::format("the result has \"{}\" twice", static_cast<char>(label)));
  }
  return equation;
}

// The factor with its axes in another order.
Factor ordered(const Factor& factor, const Labels& labels) {
  if (labels == factor.labels) return factor;
  std::vector<int> axes;
  for (const int label : labels)
    axes.push_back(static_cast<int>(std::find(factor.labels.begin(), factor.labels.end(), label) -
                                    factor.labels.begin()));
  return {permute(factor.x, axes), labels};
}

// Of a label that the factor has twice, the diagonal: every n + 1st element of the two axes in one row.
Factor diagonal(const Factor& factor, int label) {
  std::vector<int> axes;
  Labels labels;
  for (int i = 0; i < factor.x.rank(); ++i)
    if (const int other = factor.labels[static_cast<std::size_t>(i)]; other != label) {
      axes.push_back(i);
      labels.push_back(other);
    }
  const int kept = static_cast<int>(axes.size());
  for (int i = 0; i < factor.x.rank(); ++i)
    if (factor.labels[static_cast<std::size_t>(i)] == label) axes.push_back(i);
  const Index n = factor.x.size(axes[axes.size() - 1]), m = factor.x.size(axes[axes.size() - 2]);
  if (m != n)
    fail<ShapeError>("[einsum] \"{0}{0}\" takes the diagonal of axes of {1} and {2} in shape {3}",
                     static_cast<char>(label), m, n, factor.x.shape());
  const Tensor last = permute(factor.x, axes);
  Shape shape;
  for (int i = 0; i < last.rank() - 2; ++i) shape.push_back(last.size(i));
  shape.push_back(n * n);
  for (int i = kept; i < last.rank() - 1; ++i) labels.push_back(label);
  return {slice(reshape(last, shape), -1, 0, n * n, n + 1), labels};
}

// Without the axes of these labels, summed; where all have size 1, they are taken away.
Factor without(const Factor& factor, const std::set<int>& gone) {
  Factor result{factor.x, {}};
  for (std::size_t i = factor.labels.size(); i-- > 0;) {
    if (gone.contains(factor.labels[i]))
      result.x = factor.x.size(static_cast<int>(i)) == 1 ? squeeze(result.x, static_cast<int>(i))
                                                         : sum(result.x, static_cast<int>(i));
    else
      result.labels.insert(result.labels.begin(), factor.labels[i]);
  }
  return result;
}

// The product of two, in which only labels in `wanted` stay: a stack of matrix products.
Factor product(const Factor& a, const Factor& b, const std::set<int>& wanted) {
  Labels stack, rows, columns, inner;
  std::set<int> of_a, of_b;  // that can be summed before
  for (const int label : a.labels) {
    const bool both = has(b.labels, label), stays = wanted.contains(label);
    if (!both && !stays)
      of_a.insert(label);
    else
      (both ? stays ? stack : inner : rows).push_back(label);
  }
  for (const int label : b.labels)
    if (!has(a.labels, label)) {
      if (wanted.contains(label))
        columns.push_back(label);
      else
        of_b.insert(label);
    }
  const auto joined = [](std::initializer_list<Labels> parts) {
    Labels all;
    for (const Labels& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const auto size = [](const Factor& factor, const Labels& labels) {
    Index n = 1;
    for (const int label : labels) n *= factor.size(label);
    return n;
  };
  const Factor left = ordered(without(a, of_a), joined({stack, rows, inner})),
               right = ordered(without(b, of_b), joined({stack, inner, columns}));
  const Index s = size(left, stack), m = size(left, rows), k = size(left, inner), n = size(right, columns);
  Shape shape;
  for (const int label : stack) shape.push_back(left.size(label));
  for (const int label : rows) shape.push_back(left.size(label));
  for (const int label : columns) shape.push_back(right.size(label));
  const Tensor y = inner.empty() ? reshape(left.x, {s, m, 1}) * reshape(right.x, {s, 1, n})
                                 : matmul(reshape(left.x, {s, m, k}), reshape(right.x, {s, k, n}));
  return {reshape(y, shape), joined({stack, rows, columns})};
}

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands) {
  if (operands.empty()) fail<ValueError>("[einsum] there are no operands");
  const Equation parsed = read(equation, operands);
  std::vector<Factor> factors;
  std::map<int, Index> sizes;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    Factor factor{operands[i], parsed.operands[i]};
    for (const int label : parsed.operands[i])
      while (std::count(factor.labels.begin(), factor.labels.end(), label) > 1)
        factor = diagonal(factor, label);
    for (const int label : factor.labels) {
      Index& known = sizes.emplace(label, 1).first->second;
      const Index size = factor.size(label);
      if (size != known && size != 1 && known != 1)
        fail<ShapeError>("[einsum] \"{}\": an axis is {} in one operand and {} in another, of shape {}",
                         equation, known, size, operands[i].shape());
      if (size != 1) known = size;
    }
    factors.push_back(factor);
  }
  // An axis of size 1 beside a longer one stretches: as if its operand did not have it.
  for (Factor& factor : factors) {
    std::set<int> stretched;
    for (const int label : factor.labels)
      if (factor.size(label) == 1 && sizes[label] != 1) stretched.insert(label);
    factor = without(factor, stretched);
  }
  Factor total = factors[0];
  for (std::size_t i = 1; i < factors.size(); ++i) {
    std::set<int> wanted(parsed.result.begin(), parsed.result.end());
    for (std::size_t j = i + 1; j < factors.size(); ++j)
      wanted.insert(factors[j].labels.begin(), factors[j].labels.end());
    total = product(total, factors[i], wanted);
  }
  std::set<int> gone(total.labels.begin(), total.labels.end());
  for (const int label : parsed.result) gone.erase(label);
  return ordered(without(total, gone), parsed.result).x;
}

}  // namespace elk
