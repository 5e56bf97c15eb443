//! Plots as SVG: panels side by side, each with lines over two axes. No more than the docs need.

use std::fmt::{self, Display, Write};

const WIDTH: f64 = 470.0;
const HEIGHT: f64 = 320.0;
/// Of a panel: left, top, right, bottom.
const MARGINS: [f64; 4] = [62.0, 54.0, 14.0, 50.0];

/// Light and dark, as the reader's system has it. The background is painted too, so either can be read on any page. The
/// colours of lines, which go by their order, are told apart by those who do not see all of them.
const STYLE: &str = "\
text { fill: #222 } .faint { fill: #666 } .paper { fill: #fff } .shade { fill: #eee } .grid { stroke: #ddd } \
.axis { stroke: #222 } .line0 { stroke: #d55e00 } .line1 { stroke: #e69f00 } .line2 { stroke: #0072b2 } \
.line3 { stroke: #009e73 } .line4 { stroke: #cc79a7 } .line5 { stroke: #555 } \
@media (prefers-color-scheme: dark) { \
text { fill: #e6e6e6 } .faint { fill: #a0a0a0 } .paper { fill: #14171c } .shade { fill: #262b33 } .grid { stroke: #333a44 } \
.axis { stroke: #ccc } .line0 { stroke: #ff7f2a } .line1 { stroke: #ffc83d } .line2 { stroke: #56b4e9 } \
.line3 { stroke: #2fc99a } .line4 { stroke: #e39ac3 } .line5 { stroke: #bbb } }";

/// How many lines have a colour of their own.
const COLOURS: usize = 6;

/// One of the two axes of a panel.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What it shows, and in which unit.
    pub label: String,
    /// From where to where.
    pub range: [f64; 2],
    /// Whether equal steps are equal factors.
    pub logarithmic: bool,
    /// Where it has marks.
    pub marks: Vec<f64>,
}

impl Axis {
    /// A linear one with so many equal steps.
    #[must_use]
    pub fn linear(label: &str, range: [f64; 2], steps: u32) -> Axis {
        let step = (range[1] - range[0]) / f64::from(steps);
        let marks = (0..=steps).map(|n| range[0] + step * f64::from(n)).collect();
        Axis { label: label.to_owned(), range, logarithmic: false, marks }
    }

    /// A logarithmic one, from and to powers of ten.
    #[must_use]
    pub fn logarithmic(label: &str, from: i32, to: i32) -> Axis {
        let marks: Vec<f64> = (from..=to).map(|power| 10_f64.powi(power)).collect();
        let range = [10_f64.powi(from), 10_f64.powi(to)];
        Axis { label: label.to_owned(), range, logarithmic: true, marks }
    }

    /// Where on the axis a value is, between nothing and one.
    fn place(&self, value: f64) -> f64 {
        let of = |value: f64| if self.logarithmic { value.max(1e-12).log10() } else { value };
        let [from, to] = self.range.map(of);
        ((of(value) - from) / (to - from)).clamp(0.0, 1.0)
    }
}

/// One line of a panel.
#[derive(Debug, Clone)]
pub struct Line {
    /// What the legend says.
    pub label: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether it is dashed: a goal, or what is compared to.
    pub dashed: bool,
}

/// A plot of some lines.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From below.
    pub y: Axis,
    /// What is shown; their colours go by their order, and so do their widths: of lines that are the same each is seen.
    pub lines: Vec<Line>,
    /// A part of the x axis that is marked, and what it is, line by line.
    pub shaded: Option<([f64; 2], String)>,
}

/// The panels, so many in a row, under a line that says how to draw them again.
///
/// # Errors
///
/// None, as long as a `String` takes all.
pub fn svg(panels: &[Panel], columns: usize, source: &str) -> Result<String, fmt::Error> {
    let rows = panels.len().div_ceil(columns);
    let (width, height) = (WIDTH * columns as f64, HEIGHT * rows as f64 + 18.0);
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">"
    )?;
    writeln!(out, "<style>{STYLE}</style>")?;
    writeln!(out, "<rect width=\"{width}\" height=\"{height}\" class=\"paper\"/>")?;
    for (n, panel) in panels.iter().enumerate() {
        let (left, top) = (WIDTH * (n % columns) as f64, HEIGHT * (n / columns) as f64);
        writeln!(out, "<g transform=\"translate({left} {top})\">")?;
        draw(&mut out, panel)?;
        writeln!(out, "</g>")?;
    }
    let below = height - 6.0;
    let source = escaped(source);
    writeln!(out, "<text x=\"8\" y=\"{below}\" font-size=\"10\" class=\"faint\">{source}</text>")?;
    writeln!(out, "</svg>")?;
    Ok(out)
}

fn draw(out: &mut String, panel: &Panel) -> fmt::Result {
    let [left, top, right, bottom] = MARGINS;
    let (width, height) = (WIDTH - left - right, HEIGHT - top - bottom);
    let x = |value: f64| left + width * panel.x.place(value);
    let y = |value: f64| top + height * (1.0 - panel.y.place(value));
    writeln!(
        out,
        "<text x=\"{left}\" y=\"16\" font-size=\"13\" font-weight=\"bold\">{}</text>",
        escaped(&panel.title)
    )?;
    if let Some(([from, to], label)) = &panel.shaded {
        let (from, to) = (x(*from), x(*to));
        let (wide, middle) = (to - from, f64::midpoint(from, to));
        writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{wide:.1}\" height=\"{height}\" class=\"shade\"/>"
        )?;
        for (n, line) in label.lines().enumerate() {
            // In the middle, away from what is nothing or all.
            let at = top + height / 2.0 + 14.0 * n as f64;
            writeln!(
                out,
                "<text x=\"{middle:.1}\" y=\"{at:.1}\" text-anchor=\"middle\" class=\"faint\">{}</text>",
                escaped(line)
            )?;
        }
    }
    for mark in &panel.y.marks {
        let at = y(*mark);
        writeln!(
            out,
            "<path d=\"M{left} {at:.1}h{width}\" class=\"grid\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 5.0,
            at + 4.0,
            Short(*mark)
        )?;
    }
    for mark in &panel.x.marks {
        let (at, below) = (x(*mark), top + height + 15.0);
        writeln!(
            out,
            "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>",
            Short(*mark)
        )?;
    }
    let (middle, below) = (left + width / 2.0, HEIGHT - 14.0);
    let label = escaped(&panel.x.label);
    writeln!(out, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>")?;
    let middle = top + height / 2.0;
    let label = escaped(&panel.y.label);
    writeln!(
        out,
        "<text transform=\"translate(14 {middle}) rotate(-90)\" text-anchor=\"middle\">{label}</text>"
    )?;
    writeln!(out, "<path d=\"M{left} {top}v{height}h{width}\" fill=\"none\" class=\"axis\"/>")?;
    let mut legend = left;
    for (n, line) in panel.lines.iter().enumerate() {
        let class = format!("line{}", n % COLOURS);
        let wide = 2.0 + 2.5 * (panel.lines.len() - 1 - n) as f64;
        let dash = if line.dashed { " stroke-dasharray=\"4 3\"" } else { "" };
        let stroke = format!("class=\"{class}\" stroke-width=\"{wide:.1}\"{dash}");
        let points: Vec<_> =
            line.points.iter().map(|(px, py)| format!("{:.1},{:.1}", x(*px), y(*py))).collect();
        writeln!(out, "<polyline points=\"{}\" fill=\"none\" {stroke}/>", points.join(" "))?;
        writeln!(
            out,
            "<path d=\"M{legend} 34h16\" {stroke}/><text x=\"{}\" y=\"38\">{}</text>",
            legend + 20.0,
            escaped(&line.label)
        )?;
        legend += 32.0 + 5.9 * line.label.chars().count() as f64;
    }
    Ok(())
}

/// A number as short as it may be.
struct Short(f64);

impl Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.abs() >= 1e6 => write!(f, "{}M", value / 1e6),
            value if value.abs() >= 1e3 => write!(f, "{}k", value / 1e3),
            value => write!(f, "{}", (value * 1_000.0).round() / 1_000.0),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
