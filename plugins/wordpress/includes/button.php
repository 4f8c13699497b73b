<?php
/**
 * The button itself: a link around a badge, inside the element that counts up.
 *
 * @package Flattr_Button
 */

defined( 'ABSPATH' ) || exit;

/**
 * Returns the address that a button leads to.
 *
 * @param string $url   The page that is flattred.
 * @param string $title Its title.
 * @param string $user  Whose it is; whom the settings name, if empty.
 * @return string Not escaped.
 */
function flattr_button_address( $url, $title = '', $user = '' ) {
	$settings = flattr_button_settings();
	$told     = array(
		'user_id' => '' === $user ? $settings['user'] : $user,
		'url'     => $url,
	);
	if ( '' !== $title ) {
		$told['title'] = $title;
	}
	return $settings['base'] . '/submit/auto?' . http_build_query( $told, '', '&', PHP_QUERY_RFC3986 );
}

/**
 * Returns the title of a post as plain text: themes and plugins put markup and entities into it.
 *
 * @param WP_Post $post The post.
 * @return string
 */
function flattr_button_title( $post ) {
	return trim( html_entity_decode( wp_strip_all_tags( get_the_title( $post ) ), ENT_QUOTES, 'UTF-8' ) );
}

/**
 * Returns a button, or nothing while the settings do not say whose it is.
 *
 * @param array $wanted What may be said: `url`, `title`, `user` and `layout`.
 * @return string HTML, escaped.
 */
function flattr_button_html( $wanted = array() ) {
	$post = get_post();
	if ( ! flattr_button_is_ready() || ( empty( $wanted['url'] ) && ! $post ) ) {
		return '';
	}
	$settings = flattr_button_settings();
	$is_other = ! empty( $wanted['url'] );
	$url      = $is_other ? $wanted['url'] : get_permalink( $post );
	$title    = empty( $wanted['title'] ) ? ( $is_other ? '' : flattr_button_title( $post ) ) : $wanted['title'];
	$user     = empty( $wanted['user'] ) ? $settings['user'] : $wanted['user'];
	$layout   = empty( $wanted['layout'] ) ? $settings['layout'] : $wanted['layout'];
	$layout   = isset( FLATTR_BUTTON_LAYOUTS[ $layout ] ) ? $layout : 'flat';
	$look     = trim( $layout . ' ' . $settings['theme'] );
	$query    = array(
		'layout' => $look,
		'url'    => $url,
	);
	$badge    = $settings['base'] . '/badge.svg?' . http_build_query( $query, '', '&', PHP_QUERY_RFC3986 );
	$link     = sprintf(
		'<a href="%1$s"><img src="%2$s" alt="%3$s" width="%4$d" height="%5$d" loading="lazy" /></a>',
		esc_url( flattr_button_address( $url, $title, $user ) ),
		esc_url( $badge ),
		esc_attr__( 'Flattr this', 'flattr-button' ),
		FLATTR_BUTTON_LAYOUTS[ $layout ][0],
		FLATTR_BUTTON_LAYOUTS[ $layout ][1]
	);
	if ( is_feed() ) {
		return $link;
	}
	wp_enqueue_script( 'flattr-button' );
	return sprintf(
		'<flattr-button user="%1$s" url="%2$s" title="%3$s" layout="%4$s">%5$s</flattr-button>',
		esc_attr( $user ),
		esc_url( $url ),
		esc_attr( $title ),
		esc_attr( $look ),
		$link
	);
}

/**
 * Returns a button as a paragraph of its own.
 *
 * @param array $wanted As for `flattr_button_html`.
 * @return string HTML, escaped.
 */
function flattr_button_paragraph( $wanted = array() ) {
	$button = flattr_button_html( $wanted );
	return '' === $button ? '' : '<p class="flattr-button">' . $button . '</p>';
}

/**
 * Registers the instance's script; a page without a button does not load it.
 */
function flattr_button_register_script() {
	if ( flattr_button_is_ready() ) {
		$settings = flattr_button_settings();
		// The instance says how long it may be kept, so its address carries no version.
		wp_register_script( 'flattr-button', $settings['base'] . '/button.js', array(), null, true ); // phpcs:ignore WordPress.WP.EnqueuedResourceParameters.MissingVersion
	}
}
add_action( 'wp_enqueue_scripts', 'flattr_button_register_script' );

/**
 * Lets the script wait for nothing, and nothing wait for it.
 *
 * @param string $tag    The script's element.
 * @param string $handle The script's name.
 * @return string
 */
function flattr_button_async( $tag, $handle ) {
	return 'flattr-button' === $handle ? str_replace( ' src=', ' async src=', $tag ) : $tag;
}
add_filter( 'script_loader_tag', 'flattr_button_async', 10, 2 );
