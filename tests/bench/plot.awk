# The charts of plot.sh: one panel for each row of `charts`, log-log.
function field(name, text) {
	if (match($0, "\"" name "\":(\"[^\"]*\"|[-0-9.e+]+)")) {
		text = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
		gsub(/"/, "", text)
		return text
	}
	return ""
}
function escaped(text) {
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	gsub(/"/, "\\&quot;", text)
	return text
}
function log10(x) { return log(x) / log(10) }
function floor(x, i) { i = int(x); return i > x ? i - 1 : i }

# What is not above zero has no place on such axes.
function add(chart, series, x, y, key) {
	if (x <= 0 || y <= 0)
		return
	if (!((chart, series) in known)) {
		known[chart, series] = 1
		name[chart, ++series_count[chart]] = series
	}
	key = chart SUBSEP series
	xs[key, ++points[key]] = log10(x)
	ys[key, points[key]] = log10(y)
}

# A line of figures goes to every chart that it belongs to.
/"what":"(stat|open|open-read|create|commit|unlink)"/ {
	add("calls-" field("part"), field("what"), field("files"), field("p50_us"))
}
/"what":"(start|unlock|stop|find)"/ && field("files") != "" {
	add("starts-" field("part"), field("what"), field("files"), field("ms"))
}
/"what":"memory"/ && field("files") != "" && field("when") ~ /^(filled|unlocked|visited)$/ {
	add("memory-" field("part"), field("when"), field("files"), field("rss_kib") / 1024)
}
/"part":"writers".*"what":"write-fsync-4k"/ {
	kind = field("in") (field("files") == 1 && field("writers") > 1 ? ", one file" : ", own files")
	if (field("writers") == 1 && one_writer[field("in")]++)
		kind = field("in") ", one file"
	add("rate", kind, field("writers"), field("per_second"))
	add("worst", kind, field("writers"), field("max_us") / 1000)
}

function extent_of(chart, i, j, key) {
	x0 = y0 = 1e9
	x1 = y1 = -1e9
	for (i = 1; i <= series_count[chart]; i++) {
		key = chart SUBSEP name[chart, i]
		for (j = 1; j <= points[key]; j++) {
			x0 = xs[key, j] < x0 ? xs[key, j] : x0
			x1 = xs[key, j] > x1 ? xs[key, j] : x1
			y0 = ys[key, j] < y0 ? ys[key, j] : y0
			y1 = ys[key, j] > y1 ? ys[key, j] : y1
		}
	}
	x0 = floor(x0 + 1e-9)
	y0 = floor(y0 + 1e-9)
	x1 = -floor(-x1 + 1e-9)
	y1 = -floor(-y1 + 1e-9)
	x1 += x1 == x0
	y1 += y1 == y0
}
function at_x(x) { return LEFT + (x - x0) / (x1 - x0) * WIDE }
function at_y(y) { return top + HEAD + (y1 - y) / (y1 - y0) * HIGH }
function text(x, y, anchor, words) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, escaped(words)
}
function rule(xa, ya, xb, yb, color) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", xa, ya, xb, yb, color
}
function power(e) { return e >= 0 && e <= 3 ? (10 ^ e) "" : "10^" e }

function axes(title, x_label, y_label, e) {
	text(LEFT, top + 18, "start", title)
	for (e = x0; e <= x1; e++) {
		rule(at_x(e), at_y(y0), at_x(e), at_y(y1), "#ddd")
		text(at_x(e), at_y(y0) + 16, "middle", power(e))
	}
	for (e = y0; e <= y1; e++) {
		rule(at_x(x0), at_y(e), at_x(x1), at_y(e), "#ddd")
		text(LEFT - 6, at_y(e) + 4, "end", power(e))
	}
	rule(LEFT, at_y(y0), LEFT + WIDE, at_y(y0), "#000")
	rule(LEFT, at_y(y0), LEFT, at_y(y1), "#000")
	text(LEFT + WIDE / 2, at_y(y0) + 34, "middle", x_label)
	text(LEFT + WIDE + 16, top + 18, "start", y_label)
}
function lines(chart, i, j, key, color) {
	for (i = 1; i <= series_count[chart]; i++) {
		key = chart SUBSEP name[chart, i]
		color = colors[(i - 1) % color_count + 1]
		printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", color
		for (j = 1; j <= points[key]; j++)
			printf "%s%.1f,%.1f", (j > 1 ? " " : ""), at_x(xs[key, j]), at_y(ys[key, j])
		print "\"/>"
		for (j = 1; j <= points[key]; j++)
			printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
				at_x(xs[key, j]), at_y(ys[key, j]), color
		rule(LEFT + WIDE + 16, top + 32 + i * 18, LEFT + WIDE + 36, top + 32 + i * 18, color)
		text(LEFT + WIDE + 42, top + 36 + i * 18, "start", name[chart, i])
	}
}
function draw(chart, title, x_label, y_label) {
	if (!series_count[chart])
		return
	extent_of(chart)
	axes(title, x_label, y_label)
	lines(chart)
	top += HEAD + HIGH + 50
}
function is_drawn(i, row) { split(charts[i], row, "|"); return series_count[row[1]] > 0 }

BEGIN {
	LEFT = 70; WIDE = 420; HIGH = 220; HEAD = 30
	color_count = split("#1f77b4 #d62728 #2ca02c #9467bd #ff7f0e #17becf #7f7f7f", colors, " ")
	n = split("calls-files|A call, median, directories of 1000 files|files|microseconds;" \
		"calls-directory|A call, median, one directory|files|microseconds;" \
		"starts-files|Start, unlock, stop, find over all|files|milliseconds;" \
		"starts-directory|The same, one directory|files|milliseconds;" \
		"memory-files|Memory of the daemon (VmRSS)|files|MiB;" \
		"memory-directory|Memory of the daemon, one directory|files|MiB;" \
		"rate|4 KiB written and made durable|writers|per second;" \
		"worst|The same, worst latency|writers|milliseconds", charts, ";")
}
END {
	for (i = 1; i <= n; i++)
		drawn += is_drawn(i)
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"680\" height=\"%d\"", \
		drawn * (HEAD + HIGH + 50) + 20
	print " font-family=\"sans-serif\" font-size=\"12\">"
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
	for (i = 1; i <= n; i++) {
		split(charts[i], row, "|")
		draw(row[1], row[2], row[3], row[4])
	}
	print "</svg>"
}
