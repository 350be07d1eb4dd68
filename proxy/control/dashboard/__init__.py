"""The dashboard: static files that ask the same control routes as everybody else, and show what they say.

    /dashboard, /dashboard/…        one page; which part of it is shown is the script's business
    /dashboard/static/…             the page, its style, its scripts, and uPlot (vendored with its licence)

There is nothing to build and nothing is fetched from elsewhere. The files hold no data, so everybody may load them; what
is shown is asked for with the visitor's own key. `js/main.js` opens pages, each of which is a file of `js/pages/` that
draws itself and says how it is drawn again; `js/dom.js` makes elements from text, never from markup.
"""
